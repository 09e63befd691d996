# SPDX-License-Identifier: GPL-2.0-only
"""ICMP with real hosts: pings to VIPs, errors that reach the backends, path MTU discovery."""

import os
import re

from lib.cases import case
from lib.world import (ROOT, VIP, backends, fetch, open_lab, serve_udp, service, start, url,
                       verdicts, wait_for)


TOO_BIG = os.path.join(ROOT, "tests", "e2e", "lib", "too_big.py")


def ping(node, address, count, *options):
    """Ping and return how many answers came; bad checksums and sizes are no answers."""
    done = node.run("ping", "-n", "-c", count, "-i", "0.01", "-W", "2", *options, address,
                    check=False)
    return int(re.search(r"(\d+) received", done.stdout).group(1))


@case("conformance/I1 real pings to a VIP are answered, v4 and v6, of any size")
def vip_answers(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, family=4), service(lab, "web6", family=6)])
        for family in (4, 6):
            for size in (0, 56, 1400):
                assert ping(lab.client, VIP[family], 5, "-s", str(size)) == 5, (family, size)
            # The balancer's own address is its host's.
            assert ping(lab.client, lab.lb.address(family), 2) == 2
        assert verdicts(lab)["reply_echo"] == 30, verdicts(lab)
        assert verdicts(lab)["pass_icmp"] == 0, verdicts(lab)


@case("conformance/I1 with echo: pass a ping to a VIP is the host's")
def host_answers(context):
    with open_lab(context) as lab:
        lab.lb.ip(f"addr add {VIP[4]}/32 dev lo")
        start(lab, [service(lab)], icmp={"echo": "pass"})
        assert ping(lab.client, VIP[4], 5) == 5
        counts = verdicts(lab)
        assert counts["pass_icmp"] == 5 and counts["reply_echo"] == 0, counts


@case("conformance/I11 pings above the rate are dropped and counted")
def limited(context):
    with open_lab(context) as lab:
        start(lab, [service(lab)], icmp={"echo_rate": 1})
        # Ten at once on each CPU, then one a second.
        answers = ping(lab.client, VIP[4], 100, "-W", "1")
        counts = verdicts(lab)
        assert 10 <= answers < 60, answers
        assert counts["reply_echo"] == answers and counts["drop_echo_limit"] == 100 - answers, counts


def route_mtu(node, address):
    """The path MTU that a host has learned for an address, or None."""
    found = re.search(r"\bmtu (\d+)", node.run("ip", "route", "get", address).stdout)
    return int(found.group(1)) if found else None


def discovers(context, family, target_family, mtu):
    """Uploads get through a tunnel that is too small for the client's packets; MSS is as it is."""
    with open_lab(context) as lab:
        start(lab, [service(lab, family=family, mode="ipip",
                            backends=backends(lab, 2, family, "ipip", target_family))])
        # The lab's clients are told a smaller MTU of the way; without it theirs is the link's.
        lab.client.ip(f"route replace {VIP[family]} via {lab.lb.address(family)}")
        upload = context.tmp / "upload"
        upload.write_bytes(os.urandom(1 << 20))
        fetch(lab.client, url(family), "-H", "Expect:", "--data-binary", f"@{upload}")
        assert route_mtu(lab.client, VIP[family]) == mtu, mtu
        counts = verdicts(lab)
        assert 0 < counts["reply_too_big"] < 100, counts
        # The server may answer before all has come, and end the connection; some did come.
        assert counts["forward_ipip"] > 10, counts
        # What it has learned holds: nothing is too long any more.
        fetch(lab.client, url(family), "-H", "Expect:", "--data-binary", f"@{upload}")
        assert verdicts(lab)["reply_too_big"] == counts["reply_too_big"]


@case("conformance/I8 a client discovers the MTU of the way and its upload gets through, 4in4")
def discovers_4in4(context):
    discovers(context, 4, 4, 1580)


@case("conformance/I8 a client discovers the MTU of the way and its upload gets through, 4in6")
def discovers_4in6(context):
    discovers(context, 4, 6, 1560)


@case("conformance/I8 a client discovers the MTU of the way and its upload gets through, 6in6")
def discovers_6in6(context):
    discovers(context, 6, 6, 1560)


def reports(context, family, mode, target_family):
    """A router's word about a backend's answer reaches that backend, whose kernel heeds it."""
    with open_lab(context) as lab:
        nodes = backends(lab, 3, family, mode, target_family)
        for node in nodes:
            serve_udp(node, VIP[family], 5300)
        start(lab, [service(lab, "echo", family, mode, nodes, protocol="udp", port=5300)])
        client = lab.client.address(family)
        told = set()
        for _ in range(8):
            told.add(lab.client.run("/usr/bin/python3", TOO_BIG, VIP[family], 5300, 1300)
                     .stdout.strip())
            wait_for("the backends have heard", lambda: told == {
                node.name for node in nodes if route_mtu(node, client) == 1300})
        assert verdicts(lab)[f"forward_{mode}"] == 16, verdicts(lab)


@case("conformance/I2 a backend's kernel learns the MTU of the way to a client, ipip 4in6")
def reports_4in6(context):
    reports(context, 4, "ipip", 6)


@case("conformance/I2 a backend's kernel learns the MTU of the way to a client, l2 v6")
def reports_l2_v6(context):
    reports(context, 6, "l2", 6)


@case("conformance/I8 frames that GRO has put together are not too long: generic mode")
def aggregates(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))], attach=False)
        lab.sluice("attach", "eth0", "--mode", "generic")
        # The client leaves segmentation to the link, so that frames of up to 64 KiB come in.
        for node, device in (lab.client, "eth0"), (lab.switch, "lb"):
            node.run("ethtool", "-K", device, "tx", "on", "sg", "on", "tso", "on", "gso", "on")
        upload = context.tmp / "upload"
        upload.write_bytes(os.urandom(1 << 20))
        fetch(lab.client, url(), "-H", "Expect:", "--data-binary", f"@{upload}",
              check=False)
        counts = {one["name"]: one for one in lab.api("GET", "/v1/status")["verdicts"]}
        forwarded = counts["forward_l2"]
        assert forwarded["bytes"] > 3000 * forwarded["packets"] > 0, forwarded
        assert not counts["reply_too_big"]["packets"] + counts["drop_too_big"]["packets"], counts
        # They come in several buffers, and that is known only once it is attached.
        assert not counts["drop_malformed"]["packets"], counts
