# SPDX-License-Identifier: GPL-2.0-only
"""Packets find their backend: every mode and family, real servers and clients, exact counts."""

import json
import os
import re
import subprocess

from lib.cases import case
from lib.world import (VIP, Load, all_answered, ask_udp, backends, fetch, no_drops, open_lab,
                       serve_udp, service, start, url, verdicts, wait_for, wait_reachable)


def forwards(context, mode, family, target_family):
    """Clients of a VIP of this family reach backends whose addresses are of target_family."""
    with open_lab(context) as lab:
        nodes = backends(lab, 3, family, mode, target_family)
        start(lab, [service(lab, family=family, mode=mode, backends=nodes)])
        verdict = f"forward_{mode}"

        load = Load(lab.client, VIP[family])
        load.rate(200)
        load.keep(9, 20)
        load.wait_answers(600)
        totals = load.finish()
        all_answered(totals)
        assert set(totals["servers"]) == {node.name for node in nodes}, totals["servers"]
        counts_agree(lab, verdict)

        # Full-sized packets both ways: the tunnel's header must fit.
        assert len(fetch(lab.client, url(family, "/big")).stdout) == 262144
        upload = context.tmp / "upload"
        upload.write_bytes(os.urandom(1 << 20))
        sent = verdicts(lab)[verdict]
        fetch(lab.client, url(family), "-H", "Expect:", "--data-binary", f"@{upload}")
        # The server may answer before all has come, and end the connection; some did come.
        assert verdicts(lab)[verdict] > sent + 10
        no_drops(lab)


def counts_agree(lab, verdict):
    """Backends' packets, bytes and new flows add up to the service's, and to the verdict's."""
    def agree():
        web = lab.service("web")
        sums = {key: sum(one[key] for one in web["backends"])
                for key in ("packets", "bytes", "new_flows")}
        return (sums == {key: web[key] for key in sums} and
                verdicts(lab)[verdict] == sums["packets"] > 0)
    wait_for("the counters agree", agree)


@case("e2e/l2 v4: clients reach every backend, counts agree")
def l2_v4(context):
    forwards(context, "l2", 4, 4)


@case("e2e/l2 v6: clients reach every backend, counts agree")
def l2_v6(context):
    forwards(context, "l2", 6, 6)


@case("e2e/ipip 4in4: clients reach every backend, counts agree")
def ipip_4in4(context):
    forwards(context, "ipip", 4, 4)


@case("e2e/ipip 4in6: clients reach every backend, counts agree")
def ipip_4in6(context):
    forwards(context, "ipip", 4, 6)


@case("e2e/ipip 6in4: clients reach every backend, counts agree")
def ipip_6in4(context):
    forwards(context, "ipip", 6, 4)


@case("e2e/ipip 6in6: clients reach every backend, counts agree")
def ipip_6in6(context):
    forwards(context, "ipip", 6, 6)


@case("conformance/F17 gue 4in4: clients reach every backend, counts agree")
def gue_4in4(context):
    forwards(context, "gue", 4, 4)


@case("conformance/F17 gue 6in6: clients reach every backend, counts agree")
def gue_6in6(context):
    forwards(context, "gue", 6, 6)


# Prints the outer sources, in hex, of the tunnel packets that pass, until it is killed.
SOURCES = """
import socket
tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
tap.bind(("lb", 0))
print("ready", flush=True)
while True:
    frame = tap.recv(2048)
    if frame[12:14] == b"\\x08\\x00" and frame[23] == 4:
        print(frame[26:30].hex(), flush=True)
    if frame[12:14] == b"\\x86\\xdd" and frame[20] == 17 and frame[56:58] == b"\\x17\\xc0":
        print(frame[22:38].hex(), flush=True)
"""


def sources_read(tap, prefix, count):
    """Read until so many outer sources with this beginning have come."""
    seen = set()
    while len(seen) < count:
        line = tap.stdout.readline().strip()
        assert line, "the tap has ended"
        if line.startswith(prefix):
            seen.add(line)


@case("conformance/F13 outer sources from a prefix: clients reach their backends, ipip and gue")
def source_prefix(context):
    with open_lab(context) as lab:
        pools = {}
        for mode, family in ("ipip", 4), ("gue", 6):
            pools[mode] = lab.add_backend(f"{mode}-1", VIP[4], mode, family,
                                          port={"ipip": 80, "gue": 81}[mode])
        start(lab, [service(lab, mode, mode=mode, backends=[node], port=port)
                    for (mode, node), port in zip(pools.items(), (80, 81))],
              tunnel={"source_prefix4": "198.18.0.0/16", "source_prefix6": "2001:db8:5a:1::/64"})
        tap = lab.switch.spawn("/usr/bin/python3", "-c", SOURCES, stdout=subprocess.PIPE, text=True)
        assert tap.stdout.readline() == "ready\n"
        for port, mode, prefix in (80, "ipip", "c612"), (81, "gue", "20010db8005a0001"):
            for _ in range(8):
                assert fetch(lab.client, f"http://{VIP[4]}:{port}/").stdout == f"{mode}-1\n"
            # 8 flows, 65536 addresses or more: 5 of them are equal by chance never.
            sources_read(tap, prefix, 4)
        no_drops(lab)


def forwards_udp(context, mode, family, target_family):
    """UDP: each socket stays with one backend, and not a packet more or less is counted."""
    with open_lab(context) as lab:
        nodes = backends(lab, 3, family, mode, target_family)
        for node in nodes:
            serve_udp(node, VIP[family], 5300)
        start(lab, [service(lab, "echo", family, mode, nodes, protocol="udp", port=5300)])
        sockets, packets = 40, 25
        answer = ask_udp(lab.client, VIP[family], 5300, sockets, packets)
        assert answer["moved"] == 0, answer
        assert sum(answer["answers"].values()) == sockets * packets, answer
        echo = lab.service("echo")
        counted = {one["name"]: one["packets"] for one in echo["backends"] if one["packets"]}
        assert counted == answer["answers"], (counted, answer)
        assert echo["packets"] == sockets * packets, echo
        assert echo["new_flows"] == sockets, echo
        assert verdicts(lab)[f"forward_{mode}"] == sockets * packets
        no_drops(lab)


@case("e2e/l2 UDP v4: a flow keeps its backend, each packet is counted once")
def udp_l2_v4(context):
    forwards_udp(context, "l2", 4, 4)


@case("e2e/l2 UDP v6: a flow keeps its backend, each packet is counted once")
def udp_l2_v6(context):
    forwards_udp(context, "l2", 6, 6)


@case("e2e/ipip UDP 4in6: a flow keeps its backend, each packet is counted once")
def udp_ipip_4in6(context):
    forwards_udp(context, "ipip", 4, 6)


@case("e2e/ipip UDP 6in4: a flow keeps its backend, each packet is counted once")
def udp_ipip_6in4(context):
    forwards_udp(context, "ipip", 6, 4)


@case("conformance/F17 gue UDP 4in6: a flow keeps its backend, each packet is counted once")
def udp_gue_4in6(context):
    forwards_udp(context, "gue", 4, 6)


@case("conformance/F17 gue UDP 6in4: a flow keeps its backend, each packet is counted once")
def udp_gue_6in4(context):
    forwards_udp(context, "gue", 6, 4)


@case("e2e/two services of one VIP, and one of any port: each packet finds its own pool")
def several_services(context):
    with open_lab(context) as lab:
        web, other, rest = (lab.add_backend(name, VIP[4], port=port) for name, port in
                            (("web-1", 80), ("other-1", 8080), ("rest-1", 9999)))
        start(lab, [service(lab, "web", backends=[web]),
                    service(lab, "other", backends=[other], port=8080),
                    service(lab, "rest", backends=[rest], port="any")])
        for port, name in (80, "web-1"), (8080, "other-1"), (9999, "rest-1"):
            assert fetch(lab.client, f"http://{VIP[4]}:{port}/").stdout == name + "\n"
        no_drops(lab)


@case("e2e/wrk sees no error through the VIP, kept alive or not")
def wrk(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 2))])
        for header in "Connection: keep-alive", "Connection: close":
            done = lab.client.run("wrk", "-t1", "-c16", "-d2", "--timeout", "20", "-H", header,
                                  url())
            context.log(done.stdout)
            assert int(re.search(r"(\d+) requests in", done.stdout)[1]) > 100, done.stdout
            assert "Non-2xx" not in done.stdout and "Socket errors" not in done.stdout, done.stdout
        no_drops(lab)


@case("e2e/what is not for a VIP passes: ARP, neighbours, ping, TCP to the balancer itself")
def passes(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        lab.lb.spawn("/usr/bin/python3", "-m", "http.server", "--bind", "::", "2222",
                     "--directory", lab.path("netns"), stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL)
        wait_for("the balancer's own server", lambda: lab.lb.run(
            "ss", "-Hltn", "sport = :2222").stdout)
        for family in 4, 6:
            address = lab.lb.address(family)
            lab.client.ip("neigh flush dev eth0")
            lab.client.run("ping", "-n", "-c", "3", "-i", "0.2", "-W", "10", address)
            lab.client.run("ping", "-n", "-c", "3", "-i", "0.2", "-W", "10", "-s", "4000", address)
            host = f"[{address}]" if family == 6 else address
            fetch(lab.client, f"http://{host}:2222/")
            fetch(lab.lb, f"http://{host}:2222/")
        # The balancer as a client: answers to it are not for a VIP either.
        lab.client.spawn("/usr/bin/python3", "-m", "http.server", "2223", "--directory",
                         lab.path("netns"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("the client's server", lambda: lab.client.run(
            "ss", "-Hltn", "sport = :2223").stdout)
        fetch(lab.lb, f"http://{lab.client.address()}:2223/")
        counts = verdicts(lab)
        assert counts["pass_not_vip"] > 20 and counts["pass_not_ip"] > 0, counts
        no_drops(lab)


@case("e2e/backends behind another interface, beside one on the clients' segment: l2 and ipip")
def other_interface(context):
    with open_lab(context) as lab:
        lab.add_back()
        for mode, family in ("l2", 4), ("ipip", 6):
            near = lab.add_backend(f"near-{mode}", VIP[family], mode, family)
            far = lab.add_backend(f"far-{mode}", VIP[family], mode, family, back=True)
            config = lab.write_config([service(lab, mode, family, mode, [near, far])])
            if lab.agent:
                lab.sluice("apply", "-f", config)
            else:
                lab.start_agent(config)
            wait_reachable(lab, mode)
            load = Load(lab.client, VIP[family])
            load.rate(200)
            load.keep(10, 20)
            load.wait_answers(400)
            totals = load.finish()
            all_answered(totals)
            assert set(totals["servers"]) == {near.name, far.name}, totals
            nexthops = {one["name"]: one["nexthop"]["interface"]
                        for one in lab.service(mode)["backends"]}
            assert nexthops == {near.name: "eth0", far.name: "eth1"}, nexthops
        no_drops(lab)


@case("e2e/a port of the VIP that no service has is dropped and counted")
def no_service(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        done = fetch(lab.client, f"http://{VIP[4]}:81/", "--connect-timeout", "1", check=False)
        assert done.returncode == 28, done
        assert verdicts(lab)["drop_no_service"] > 0
        assert lab.service("web")["packets"] == 0


@case("e2e/a backend whose MAC address changes is followed")
def mac_changes(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 1)
        start(lab, [service(lab, backends=nodes)])
        assert fetch(lab.client, url()).stdout == "web-1\n"
        nodes[0].ip("link set eth0 address 02:51:00:aa:bb:cc")
        # Its owner would announce it; here the balancer hears of it by asking again.
        lab.lb.run("ping", "-n", "-c", "1", "-W", "1", nodes[0].address(), check=False)
        nodes[0].run("ping", "-n", "-c", "1", "-W", "10", lab.lb.address())
        wait_for("the new MAC is used", lambda: lab.service("web")["backends"][0]["nexthop"] and
                 lab.service("web")["backends"][0]["nexthop"]["mac"] == "02:51:00:aa:bb:cc")
        assert fetch(lab.client, url()).stdout == "web-1\n"


@case("e2e/weights share out new flows, and 0 takes none")
def weights(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 3)
        web = service(lab, backends=nodes)
        for one, weight in zip(web["backends"], (100, 300, 0)):
            one["weight"] = weight
        start(lab, [web])
        load = Load(lab.client, VIP[4])
        load.rate(1000)
        load.wait_answers(2000)
        totals = load.finish()
        all_answered(totals)
        answers = {name: one["answers"] for name, one in totals["servers"].items()}
        assert set(answers) == {"web-1", "web-2"}, answers
        # A quarter of n flows, within 6 standard deviations: chance alone never fails this.
        number = sum(answers.values())
        assert abs(answers["web-1"] - number / 4) < 6 * (number * 3 / 16) ** 0.5, answers
        shares = {one["name"]: one["share"] for one in lab.service("web")["backends"]}
        assert abs(shares["web-1"] - 0.25) < 0.0025 and shares["web-3"] == 0, shares
        context.log(json.dumps(answers))
