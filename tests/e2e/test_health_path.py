# SPDX-License-Identifier: GPL-2.0-only
"""Probes by the forwarding path: a backend that lacks the VIP is found dead, whoever else answers."""

from lib.cases import case
from lib.probed import FAST, nginx, odd_server, wait_verdict
from lib.world import UDP_ECHO, VIP, backends, fetch, open_lab, service, url, wait_for

KINDS = {
    "http": {"type": "http", "path": "/"},
    "icmp": {"type": "icmp"},
    "udp": {"type": "udp", "port": 5353, "payload": "ping", "expect": "web-1"},
}


def lacks_vip(context, family):
    modes = ("l2", "ipip", "gue")
    with open_lab(context) as lab:
        nodes = {mode: lab.add_backend(f"web-{number}", VIP[family], mode, family)
                 for number, mode in enumerate(modes, 1)}
        services = []
        for node in nodes.values():
            # At its own address it answers all of it, with or without the VIP.
            nginx(lab, node, 80)
            for address in (VIP[family], node.target):
                node.spawn("/usr/bin/python3", UDP_ECHO, "serve", address, 5353, "web-1")
        for number, (mode, node) in enumerate(nodes.items()):
            for place, (kind, health) in enumerate(KINDS.items()):
                # nginx answers / at the VIP; at the node's own address it is 404.
                services.append(service(
                    lab, f"{mode}-{kind}", family, mode, [node], port=80 if kind == "http" and
                    mode == "l2" else 8000 + 10 * number + place,
                    health={**FAST, "port": 80, **health} if kind == "http" else {**FAST, **health},
                    backends_max=8))
        lab.start_agent(lab.write_config(services))
        for one in services:
            health = wait_verdict(lab, one["name"], "up", one["backends"][0]["name"])
            assert health["via"] == "path", (one["name"], health)
        assert fetch(lab.client, url(family)).returncode == 0
        for node in nodes.values():
            node.ip(f"addr del {VIP[family]}/{32 if family == 4 else 128} dev lo")
        for one in services:
            wait_verdict(lab, one["name"], "down", one["backends"][0]["name"])
        for node in nodes.values():
            node.ip(f"addr add {VIP[family]}/{32 if family == 4 else 128} dev lo")
        for one in services:
            wait_verdict(lab, one["name"], "up", one["backends"][0]["name"])


@case("health/path: a backend that lacks the VIP is found dead, l2, ipip and gue, IPv4")
def lacks_vip_v4(context):
    lacks_vip(context, 4)


@case("health/path: a backend that lacks the VIP is found dead, l2, ipip and gue, IPv6")
def lacks_vip_v6(context):
    lacks_vip(context, 6)


@case("health/path: packets without a mark pass untouched, and nothing is left when the agent stops")
def unmarked(context):
    with open_lab(context) as lab:
        node, = backends(lab, 1)
        lab.start_agent(lab.write_config([service(lab, backends=[node], health={**FAST})]))
        wait_verdict(lab, "web", "up")
        filters = lab.lb.run("tc", "filter", "show", "dev", "eth0", "egress").stdout
        assert "probe_out" in filters, filters
        server = odd_server(node, "flap", 8080, "/nowhere")
        done = fetch(lab.lb, f"http://{node.target}:8080/", check=False)
        assert "503" in done.stderr, done.stderr
        server.kill()
        lab.agent.stop()
        for side in ("egress", "ingress"):
            assert "probe_" not in lab.lb.run("tc", "filter", "show", "dev", "eth0", side).stdout
        wait_for("forwarding goes on", lambda: fetch(
            lab.client, url(), check=False).returncode == 0)
