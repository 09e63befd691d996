# SPDX-License-Identifier: GPL-2.0-only
"""The MSS that SYNs offer, as the sockets at both ends see it."""

import json
import subprocess

from lib.cases import case
from lib.world import VIP, no_drops, open_lab, service, start

# Prints the segment size of every connection that it accepts.
SERVER = """
import socket, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])), reuse_port=True,
                              family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
print("ready", flush=True)
while True:
    peer, _ = server.accept()
    peer.sendall(b"%d" % peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
    peer.close()
"""

# Prints what the server said, and its own segment size.
CLIENT = """
import json, socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 20) as peer:
    own = peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    print(json.dumps([int(peer.recv(99)), own]))
"""


def serve(node, address, port):
    server = node.spawn("/usr/bin/python3", "-c", SERVER, address, port, stdout=subprocess.PIPE,
                        text=True)
    assert server.stdout.readline() == "ready\n"


@case("conformance/I10 a running service gets an MSS and loses it: the backends see it, in all modes")
def mss_of_sockets(context):
    with open_lab(context) as lab:
        pools = [(mode, family, port, lab.add_backend(mode, VIP[family], mode, family))
                 for mode, family, port in (("l2", 4, 7), ("ipip", 6, 7), ("gue", 4, 8))]

        def services(mss):
            return [service(lab, mode, family, mode, [node], port=port, mss=mss)
                    for mode, family, port, node in pools]

        def check(right):
            for mode, family, port, _ in pools:
                done = lab.client.run("/usr/bin/python3", "-c", CLIENT, VIP[family], port)
                backend, client = json.loads(done.stdout)
                # Less than what was offered by the options that each segment has.
                assert right(backend) and client > 1000, (mode, backend, client)
        for _, family, port, node in pools:
            serve(node, VIP[family], port)
        start(lab, services(0))
        check(lambda size: size > 1000)
        for mss, right in (700, lambda size: 600 < size <= 700), (0, lambda size: size > 1000):
            lab.sluice("apply", "-f", lab.write_config(services(mss)))
            check(right)
        no_drops(lab)
