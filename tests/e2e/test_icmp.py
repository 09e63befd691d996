# SPDX-License-Identifier: GPL-2.0-only
"""ICMP with real hosts: pings to VIPs, errors that reach the backends, path MTU discovery."""

import re

from lib.cases import case
from lib.world import VIP, backends, open_lab, service, start, verdicts


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
