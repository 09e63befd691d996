# SPDX-License-Identifier: GPL-2.0-only
"""QUIC packets find their backend by connection ID, whoever sends them and whatever restarts."""

import ipaddress
import signal
import socket

from lib.cases import case
from lib.keeper import add_nodes, inside, service, start
from lib.world import VIP, no_drops, open_lab, serve_udp, wait_reachable

PORT = 443
ID_LENGTH = 4  # of a server ID: a whole IPv4 address
CONFIG = 1  # top three bits of the connection IDs


def packet(target):
    """A packet with a short header, whose connection ID names the backend of this address."""
    return bytes([0x40, CONFIG << 5 | 8]) + ipaddress.ip_address(target).packed + b"nonce" + b"-" * 20


class Sockets:
    """Clients of one address each; a new one is a client whose address has changed."""

    def __init__(self, lab, count):
        self.sockets = []
        with inside(lab.client):
            for _ in range(count):
                one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                one.settimeout(20)
                one.connect((VIP[4], PORT))
                self.sockets.append(one)

    def servers(self, target):
        """Who answers packets with the ID of this address."""
        names = set()
        for one in self.sockets:
            one.send(packet(target))
            names.add(one.recv(2048).split(b" ")[0].decode())
        return names


def each_finds_its_own(lab, nodes):
    for node in nodes:
        assert Sockets(lab, 6).servers(node.target) == {node.name}


@case("conformance/U7 QUIC clients from new addresses reach the backend that their ID names")
def quic_by_id(context):
    with open_lab(context) as lab:
        nodes = add_nodes(lab, 3, ports=())
        for node in nodes:
            serve_udp(node, VIP[4], PORT)
        pool, = start(lab, nodes, service(
            "quic", PORT, protocol="udp", quic=True, quic_id_length=ID_LENGTH,
            quic_id_config=CONFIG))
        each_finds_its_own(lab, nodes)

        # The map outlives the agent, which finds in it what it would have written.
        config = lab.agent.config
        lab.agent.stop(signal.SIGKILL)
        each_finds_its_own(lab, nodes)
        lab.start_agent(config)
        wait_reachable(lab, "quic")
        each_finds_its_own(lab, nodes)

        # A drained backend goes on with its connections, wherever their clients are.
        pool.drain("web-1")
        each_finds_its_own(lab, nodes)
        pool.remove("web-1")
        assert "web-1" not in Sockets(lab, 20).servers(nodes[0].target)
        each_finds_its_own(lab, nodes[1:])
        no_drops(lab)
