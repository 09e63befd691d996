# SPDX-License-Identifier: GPL-2.0-only
"""The VLAN of a service, on the wire: raw frames, as there need be no VLAN device."""

import subprocess

from lib.cases import case
from lib.world import VIP, no_drops, open_lab, service, start

# Prints the tag of each frame of UDP that is for this host, or 0.
TAP = """
import socket, struct
tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
tap.bind(("eth0", 0))
own = tap.getsockname()[4]
tap.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
print("ready", flush=True)
while True:
    frame, more, _, _ = tap.recvmsg(2048, 256)
    status, _, _, _, _, tag, _ = struct.unpack("=IIIHHHH", more[0][2][:20])
    if frame[:6] == own and frame[12:14] == b"\\x08\\x00" and frame[23] == 17:
        print(tag & 4095 if status & 16 else 0, flush=True)
    elif frame[:6] == own and frame[12:14] == b"\\x81\\x00":
        print("two", flush=True)
"""

# Sends a UDP datagram to a VIP with the tags that are given.
SEND = """
import socket, struct, sys
vip, own, *tags = sys.argv[1:]
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("eth0", 0))
udp = struct.pack("!HHHH", 40000, 53, 12, 0) + b"vlan"
ends = socket.inet_aton(own) + socket.inet_aton(vip)
ip = struct.pack("!BBHHHBBH", 69, 0, 20 + len(udp), 0, 16384, 64, 17, 0)
total = sum(struct.unpack("!10H", ip + ends))  # a bridge may look at it
ip = ip[:10] + struct.pack("!H", 65535 - total % 65535)
out.send(b"\\x02\\0\\0\\0\\0\\x99" + b"\\x02\\0\\0\\0\\0\\x98"
         + b"".join(struct.pack("!HH", 0x8100, int(tag)) for tag in tags) + b"\\x08\\0"
         + ip + ends + udp + bytes(18))
"""


@case("conformance/F15 a running service gets a VLAN and loses it, for frames with 0 to 2 tags")
def vlan_of_frames(context):
    with open_lab(context) as lab:
        node = lab.add_backend("dns", VIP[4], "l2", 4)

        def services(vlan):
            return [service(lab, "dns", 4, "l2", [node], protocol="udp", port=53, vlan=vlan)]
        start(lab, services("keep"))
        # Into the frame, where XDP sees it.
        lab.switch.run("ethtool", "-K", "lb", "txvlan", "off")
        tap = node.spawn("/usr/bin/python3", "-c", TAP, stdout=subprocess.PIPE, text=True)
        assert tap.stdout.readline() == "ready\n"
        for vlan, wanted in (("keep", "0 100 two"), (777, "777 777 777"), ("none", "0 0 0"),
                             ("keep", "0 100 two")):
            lab.sluice("apply", "-f", lab.write_config(services(vlan)))
            assert lab.service("dns")["vlan"] == vlan
            for tags, tag in zip(((), (100,), (200, 100)), wanted.split()):
                lab.client.run("/usr/bin/python3", "-c", SEND, VIP[4], lab.client.address(4), *tags)
                seen = tap.stdout.readline().strip()
                assert seen == tag, (vlan, tags, seen)
        no_drops(lab)
