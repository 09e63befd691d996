# SPDX-License-Identifier: GPL-2.0-only
"""Mode nat: backends under their own address and port, whose router the balancer is.

    client --- switch --- lb --- back --- web-1, web-2, ...

lb's program is on both of its interfaces: a packet to the VIP comes in by the one, the answer by the
other.
"""

import contextlib
import json
import random
import socket

from lib.cases import case
from lib.keeper import inside
from lib.world import (VIP, Load, all_answered, ask_udp, backend, fetch, no_drops, open_lab,
                       serve_udp, service, url, verdicts, wait_for, wait_reachable)

PORT = 8080  # of the backends
UDP_PORT = 5353


@contextlib.contextmanager
def open_nat(context, family, count):
    """A lab with backends behind lb."""
    with open_lab(context) as lab:
        lab.add_back()
        nodes = [lab.add_backend(f"web-{number}", VIP[family], "nat", family, PORT, back=True)
                 for number in range(1, count + 1)]
        yield lab, nodes


def begin(lab, *services):
    lab.start_agent(lab.write_config(list(services)))
    for one in services:
        wait_reachable(lab, one["name"])
    lab.sluice("attach", "eth1", "--mode", "native")


def nat_service(lab, name, family, nodes, backend_port, **more):
    return {**service(lab, name, family, "nat", **more),
            "backends": [backend(node, port=backend_port) for node in nodes]}


def web(lab, family, nodes):
    return nat_service(lab, "web", family, nodes, PORT)


def serves(context, family):
    with open_nat(context, family, 3) as (lab, nodes):
        begin(lab, web(lab, family, nodes[:2]))
        load = Load(lab.client, VIP[family])
        load.rate(200)
        load.keep(9, 20)
        load.wait_answers(400)

        # The pool changes twice under the load: no connection breaks.
        lab.api("POST", "/v1/services/web/backends",
                {"name": nodes[2].name, "address": nodes[2].target, "port": PORT})
        wait_reachable(lab)
        load.wait_answers(300)
        lab.api("POST", "/v1/services/web/backends/web-1/drain", {})
        load.wait_answers(300)
        totals = load.finish()
        all_answered(totals)
        assert set(totals["servers"]) == {node.name for node in nodes}, totals["servers"]

        # Full-sized packets; and the host's own connections to a backend are not touched.
        assert len(fetch(lab.client, url(family, "/big")).stdout) == 262144
        own = f"[{nodes[1].target}]" if family == 6 else nodes[1].target
        assert fetch(lab.lb, f"http://{own}:{PORT}/").stdout == "web-2\n"
        counted = verdicts(lab)
        assert counted["forward_nat"] == lab.service("web")["packets"] > 0
        assert counted["return_nat"] > 1000
        no_drops(lab)


@case("conformance/N2 v4: clients of a nat service, real servers, a pool that changes")
def nat_v4(context):
    serves(context, 4)


@case("conformance/N2 v6: clients of a nat service, real servers, a pool that changes")
def nat_v6(context):
    serves(context, 6)


@case("conformance/N2 UDP under another port: each packet comes back from the VIP")
def nat_udp(context):
    with open_nat(context, 4, 2) as (lab, nodes):
        for node in nodes:
            serve_udp(node, node.target, UDP_PORT)
        begin(lab, nat_service(lab, "echo", 4, nodes, UDP_PORT, protocol="udp", port=5300))
        # The client's sockets are connected: they take packets of the VIP's port only.
        answer = ask_udp(lab.client, VIP[4], 5300, 20, 5)
        assert sum(answer["answers"].values()) == 100 and answer["moved"] == 0, answer
        assert verdicts(lab)["return_nat"] == 100
        no_drops(lab)


def ask_large(lab, family, port, sizes):
    """Datagrams of these sizes from one socket, each of which the server sends back."""
    kind = socket.AF_INET6 if family == 6 else socket.AF_INET
    with inside(lab.client), socket.socket(kind, socket.SOCK_DGRAM) as one:
        one.settimeout(20)
        one.connect((VIP[family], port))
        for size in sizes:
            payload = random.randbytes(size)
            one.send(payload)
            _, back = one.recv(65535).split(b" ", 1)
            assert back == payload, f"another payload, of {len(back)} bytes, not {size}"


@case("conformance/N2 requests and answers of many fragments, v4 and v6, with their checksums")
def nat_large(context):
    for family in (4, 6):
        with open_nat(context, family, 2) as (lab, nodes):
            for node in nodes:
                serve_udp(node, node.target, UDP_PORT)
            begin(lab, nat_service(lab, "echo", family, nodes, UDP_PORT, protocol="udp", port=5300))
            sizes = 1400, 1473, 4000, 9001, 20000
            ask_large(lab, family, 5300, sizes)
            least = sum(size // 1600 + 1 for size in sizes)
            wait_for("every fragment was counted",
                     lambda: verdicts(lab)["return_nat"] >= least)
            no_drops(lab)


@case("conformance/N2 a client whose MAC address is not known yet is found by the host's stack")
def nat_unknown_neighbour(context):
    with open_nat(context, 4, 1) as (lab, nodes):
        begin(lab, web(lab, 4, nodes))
        # It knows lb's, so that it does not ask for it, and lb learns nothing.
        mac = json.loads(lab.lb.run("ip", "-j", "link", "show", "eth0").stdout)[0]["address"]
        lab.client.ip(f"neigh replace {lab.lb.address(4)} lladdr {mac} dev eth0 nud permanent")
        lab.lb.ip("neigh flush dev eth0")
        assert fetch(lab.client, url()).stdout == "web-1\n"
        counted = verdicts(lab)
        assert counted["pass_nat"] > 0 and counted["return_nat"] > 0, counted
        no_drops(lab)


@case("conformance/N4 a port that a nat backend does not serve: the client is told by the VIP")
def nat_port_unreachable(context):
    with open_nat(context, 4, 1) as (lab, nodes):
        begin(lab, nat_service(lab, "echo", 4, nodes, UDP_PORT, protocol="udp", port=5300))
        # The kernel hands the error to the socket only if address, ports and checksums fit.
        script = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
                  f"s.settimeout(20); s.connect(('{VIP[4]}', 5300)); s.send(b'x'); s.recv(9)")
        done = lab.client.run("/usr/bin/python3", "-c", script, check=False)
        assert "ConnectionRefusedError" in done.stderr, done.stderr
        wait_for("the error was counted", lambda: verdicts(lab)["return_nat"] == 1)


@case("conformance/N1 mode nat after a restart, and its map after the pool is gone")
def nat_restart(context):
    with open_nat(context, 4, 2) as (lab, nodes):
        begin(lab, web(lab, 4, nodes))
        load = Load(lab.client, VIP[4])
        load.rate(100)
        load.keep(4, 20)
        load.wait_answers(100)
        lab.agent.stop()
        lab.start_agent(lab.agent.config)
        load.wait_answers(100)
        all_answered(load.finish())
        lab.api("DELETE", "/v1/services/web")
        # Now what the backend answers is its own, as before there was a service.
        lab.client.ip(f"route add {nodes[0].target} via {lab.lb.address(4)}")
        own = fetch(lab.client, f"http://{nodes[0].target}:{PORT}/")
        assert own.stdout == "web-1\n"
        no_drops(lab)
