# SPDX-License-Identifier: GPL-2.0-only
"""UDP flows: where they are after a change of the pool, within the grace time and after it."""

import select
import socket
import time

from lib.cases import case
from lib.keeper import add_nodes, inside, service, start
from lib.world import VIP, no_drops, open_lab, serve_udp

GRACE_S = 4  # of the service with a short grace time
TICK_S = 1.1  # the data plane counts the grace time in ticks
ANSWER_S = 20


class Sockets:
    """UDP sockets of the client, connected to a service, and the server that each talks to."""

    def __init__(self, pool, name, least=5):
        """Open some at a time, until so many of them are answered by this backend."""
        self.sockets, self.servers = [], {}
        while self.on(name) < least:
            assert len(self.sockets) < 4000, f"4000 sockets, and hardly one on {name}"
            with inside(pool.lab.client):
                for _ in range(30):
                    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    one.connect((VIP[4], pool.config["port"]))
                    self.sockets.append(one)
            self.servers = self.ask()

    def ask(self):
        """Each sends a packet; who answered each."""
        for one in self.sockets:
            one.send(b"?")
        waiting, servers = set(self.sockets), {}
        deadline = time.monotonic() + ANSWER_S
        while waiting and time.monotonic() < deadline:
            for one in select.select(list(waiting), [], [], 1)[0]:
                servers[one] = one.recv(2048).split(b" ")[0].decode()
                waiting.remove(one)
        assert not waiting, f"{len(waiting)} of {len(self.sockets)} sockets had no answer"
        return servers

    def moved(self):
        """How many are answered by another server than before; that is their server from now on."""
        before, self.servers = self.servers, self.ask()
        return sum(self.servers[one] != before[one] for one in self.sockets)

    def on(self, name):
        return sum(server == name for server in self.servers.values())


def udp_nodes(lab, count, *ports):
    nodes = add_nodes(lab, count, ports=())
    for node in nodes:
        for port in ports:
            serve_udp(node, VIP[4], port)
    return nodes


def udp_service(name, port, tracking, grace_ms):
    return service(name, port, protocol="udp", tracking=tracking, grace_ms=grace_ms)


def stays_until_gone(pool):
    """Nothing moves by a drain; when the backend is gone, its flows move on and no others."""
    flows = Sockets(pool, "web-1")
    pool.drain("web-1")
    assert flows.moved() == 0
    pool.weight("web-2", 10)
    assert flows.moved() == 0
    there = flows.on("web-1")
    pool.remove("web-1")
    assert flows.moved() == there, pool.name
    assert flows.on("web-1") == 0 and flows.moved() == 0, pool.name


@case("flows/UDP stays where it is within the grace time, and moves on when its backend is gone")
def udp_stays(context):
    with open_lab(context) as lab:
        nodes = udp_nodes(lab, 4, 7100, 7101)
        for pool in start(lab, nodes, udp_service("full", 7100, "full", 3600000),
                          udp_service("minimal", 7101, "minimal", 3600000)):
            stays_until_gone(pool)
        no_drops(lab)


@case("flows/UDP that was silent through the grace time goes to its slot's new owner", waits=True)
def udp_after_grace(context):
    with open_lab(context) as lab:
        nodes = udp_nodes(lab, 3, 7100)
        pool, = start(lab, nodes, udp_service("minimal", 7100, "minimal", GRACE_S * 1000),
                      timeouts={"probation_ms": 600000})
        speaking, silent = Sockets(pool, "web-1"), Sockets(pool, "web-1")
        there = silent.on("web-1")
        began = time.monotonic()
        pool.drain("web-1")
        changed = time.monotonic()
        moved = speaking.moved()
        # A machine that stops for so long has missed the grace time: nothing to be said then.
        in_time = time.monotonic() - began < GRACE_S - TICK_S
        assert moved == 0 or not in_time, moved
        while time.monotonic() < changed + GRACE_S + 2 * TICK_S:
            time.sleep(0.1)
        assert silent.moved() == there
        assert silent.on("web-1") == 0
        # Who spoke in time was pinned: time alone moves nobody.
        assert speaking.moved() == 0
        assert speaking.on("web-1") > 0 or not in_time
        no_drops(lab)
