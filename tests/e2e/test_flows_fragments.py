# SPDX-License-Identifier: GPL-2.0-only
"""Datagrams in fragments: whatever their order, all reach the backend of their flow."""

import os
import random
import select
import signal
import socket
import struct
import time

from lib.cases import case
from lib.keeper import inside
from lib.prometheus import get, read
from lib.world import (VIP, backends, no_drops, open_lab, serve_udp, service, start, verdicts,
                       wait_for)

PORT, HOST_PORT = 5300, 5301
ANSWER_S = 20
FRAGMENT_BYTES = 1400  # of the datagram in each; a multiple of 8
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Client:
    """A UDP socket to the service, and the fragments of what it would send."""

    datagrams = 0

    def __init__(self, family, port=PORT):
        self.family = family
        self.socket = socket.socket(FAMILIES[family], socket.SOCK_DGRAM)
        self.socket.connect((VIP[family], port))
        self.addresses = [socket.inet_pton(FAMILIES[family], text)
                          for text in (self.socket.getsockname()[0], VIP[family])]
        self.ports = self.socket.getsockname()[1], port

    def datagram(self, payload):
        length = 8 + len(payload)
        pseudo = b"".join(self.addresses) + struct.pack("!IHBB", length, 0, 0, socket.IPPROTO_UDP)
        header = struct.pack("!HHH", *self.ports, length)
        return header + struct.pack("!H", checksum(pseudo + header + b"\0\0" + payload) or
                                    0xffff) + payload

    def packet(self, number, offset, part, more):
        if self.family == 4:
            return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(part), number & 0xffff,
                               more << 13 | offset // 8, 64, socket.IPPROTO_UDP, 0) + b"".join(
                                   self.addresses) + part
        return struct.pack("!IHBB", 6 << 28, 8 + len(part), socket.IPPROTO_FRAGMENT,
                           64) + b"".join(self.addresses) + struct.pack(
                               "!BBHI", socket.IPPROTO_UDP, 0, offset | more, number) + part

    def fragments(self, payload):
        """The IP packets, in order, of a datagram with this payload."""
        Client.datagrams += 1
        whole = self.datagram(payload)
        return [self.packet(Client.datagrams, at, whole[at:at + FRAGMENT_BYTES],
                            at + FRAGMENT_BYTES < len(whole))
                for at in range(0, len(whole), FRAGMENT_BYTES)]


class Clients:
    """Clients with a flow each, and the server that each talks to."""

    def __init__(self, context, lab, family, count, port=PORT):
        seed = int(os.environ.get("SLUICE_SEED", random.randrange(1 << 32)))
        context.log(f"SLUICE_SEED={seed}")
        self.random = random.Random(seed)
        with inside(lab.client):
            self.clients = [Client(family, port) for _ in range(count)]
            self.raw = socket.socket(FAMILIES[family], socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.to = VIP[family], 0

    def answers(self, payloads):
        """Who answered each client with its payload."""
        servers = {}
        deadline = time.monotonic() + ANSWER_S
        waiting = {one.socket: one for one in payloads}
        while waiting and time.monotonic() < deadline:
            for ready in select.select(list(waiting), [], [], 1)[0]:
                one = waiting.pop(ready)
                name, back = ready.recv(65535).split(b" ", 1)
                assert back == payloads[one], f"{name}: another payload of {len(back)} bytes"
                servers[one] = name.decode()
        assert not waiting, f"{len(waiting)} of {len(payloads)} clients had no answer"
        return servers

    def ask_whole(self):
        for one in self.clients:
            one.socket.send(b"?")
        return self.answers(dict.fromkeys(self.clients, b"?"))

    def ask_in_fragments(self, arrange):
        """A datagram of 4 to 8 KB each; arrange() gets lists of packets, and gives one list."""
        payloads = {one: self.random.randbytes(self.random.randint(4096, 8192))
                    for one in self.clients}
        for packet in arrange([one.fragments(payload) for one, payload in payloads.items()]):
            self.raw.sendto(packet, self.to)
        return self.answers(payloads)

    def shuffled(self, datagrams):
        """Those of all datagrams, mixed."""
        packets = [packet for packets in datagrams for packet in packets]
        self.random.shuffle(packets)
        return packets

    @staticmethod
    def backwards(datagrams):
        return [packet for packets in datagrams for packet in reversed(packets)]

    @staticmethod
    def in_order(datagrams):
        return [packet for packets in datagrams for packet in packets]


def counts(lab):
    """Of the fragments that were held: given back, expired, displaced."""
    samples = read(lab.metrics())
    return [get(samples, "sluice_fragments_released_total", reason=reason)
            for reason in ("first_came", "expired", "displaced")]


def all_returned(lab):
    """Every fragment that was held went on, and none was lost."""
    held = verdicts(lab)["hold_fragment"]
    assert held > 0, "no fragment came before the first one"
    wait_for("every held fragment is given back",
             lambda: counts(lab) == [held, 0, 0])
    no_drops(lab)


def any_order(context, mode, family, target_family):
    with open_lab(context) as lab:
        nodes = backends(lab, 4, family, mode, target_family)
        for node in nodes:
            serve_udp(node, VIP[family], PORT)
        start(lab, [service(lab, "echo", family, mode, nodes, protocol="udp", port=PORT)])
        known = Clients(context, lab, family, 24)
        servers = known.ask_whole()
        assert len(set(servers.values())) == 4, servers
        for _ in range(20 if context.soak else 3):
            assert known.ask_in_fragments(known.backwards) == servers
            assert known.ask_in_fragments(known.shuffled) == servers
            assert known.ask_in_fragments(known.in_order) == servers
        # Flows that begin with a datagram in fragments.
        new = Clients(context, lab, family, 24)
        servers = new.ask_in_fragments(new.shuffled)
        assert new.ask_whole() == servers
        all_returned(lab)


@case("flows/fragments in any order reach the backend of their flow: l2 v4")
def l2_v4(context):
    any_order(context, "l2", 4, 4)


@case("flows/fragments in any order reach the backend of their flow: l2 v6")
def l2_v6(context):
    any_order(context, "l2", 6, 6)


@case("flows/fragments in any order reach the backend of their flow: ipip 4in6")
def ipip_4in6(context):
    any_order(context, "ipip", 4, 6)


@case("flows/fragments in any order reach the backend of their flow: ipip 6in4")
def ipip_6in4(context):
    any_order(context, "ipip", 6, 4)


@case("flows/fragments of what the VIP passes reach the host in any order, held ones too")
def passed(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 2)
        lab.lb.ip(f"addr add {VIP[4]}/32 dev lo")
        serve_udp(lab.lb, VIP[4], HOST_PORT)
        start(lab, [service(lab, "echo", backends=nodes, protocol="udp", port=PORT,
                            unknown_port="pass")])
        clients = Clients(context, lab, 4, 8, HOST_PORT)
        assert set(clients.ask_whole().values()) == {"lb"}
        for arrange in clients.backwards, clients.shuffled, clients.in_order:
            assert set(clients.ask_in_fragments(arrange).values()) == {"lb"}
        all_returned(lab)


@case("flows/fragments in order need no agent, and out of order they are held again by the next")
def agent_away(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 4)
        for node in nodes:
            serve_udp(node, VIP[4], PORT)
        start(lab, [service(lab, "echo", backends=nodes, protocol="udp", port=PORT)])
        clients = Clients(context, lab, 4, 24)
        servers = clients.ask_whole()
        lab.agent.stop(signal.SIGKILL)
        assert clients.ask_in_fragments(clients.in_order) == servers
        # Handed over to nobody: the next agent finds them with the first one long here.
        config = lab.agent.config

        def next_agent(datagrams):
            packets = clients.backwards(datagrams)
            for packet in packets[:-1]:
                clients.raw.sendto(packet, clients.to)
            lab.start_agent(config)
            return packets[-1:]
        assert clients.ask_in_fragments(next_agent) == servers
        assert clients.ask_in_fragments(clients.shuffled) == servers
        all_returned(lab)


@case("flows/a fragment whose first one never comes is forgotten after a second, and counted")
def never_comes(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 2)
        start(lab, [service(lab, "echo", backends=nodes, protocol="udp", port=PORT)])
        clients = Clients(context, lab, 4, 1)
        for packet in clients.clients[0].fragments(b"x" * 5000)[1:]:
            clients.raw.sendto(packet, clients.to)
        wait_for("they are forgotten", lambda: counts(lab) == [0, 3, 0])
        assert verdicts(lab)["hold_fragment"] == 3
