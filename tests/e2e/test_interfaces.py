# SPDX-License-Identifier: GPL-2.0-only
"""Interfaces that go and come back under a running agent."""

import os

from lib.cases import case
from lib.world import backends, execute, fetch, open_lab, service, start, url, wait_for


def attached(lab):
    """{name: whether the program is attached there now}"""
    return {one["name"]: one["ifindex"] > 0
            for one in lab.api("GET", "/v1/status")["interfaces"]}


def pins(lab):
    return sorted(name for name in os.listdir(lab.pin_dir) if name.startswith("link-"))


def make_pair(lab, one="extra0", other="extra1"):
    lab.lb.ip(f"link add {one} type veth peer name {other}")


@case("e2e/interface deleted and made again: it is attached again, and forwards")
def made_again(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        assert fetch(lab.client, url()).stdout == "web-1\n"
        lab.lb.ip("link del eth0")
        wait_for("it is seen to have gone", lambda: attached(lab) == {"eth0": False})
        assert "gone" in lab.sluice("status").stdout and not pins(lab)
        lab.add_link(lab.lb, "eth0", lab.switch)
        lab.switch.ip("link set dev lb xdpdrv obj "
                      f"{os.path.join(lab.build, 'bpf', 'pass.bpf.o')} sec xdp.frags")
        wait_for("it is attached again", lambda: attached(lab) == {"eth0": True})
        assert pins(lab) == ["link-eth0"]
        lab.client.ip("neigh flush dev eth0")
        wait_for("it forwards", lambda: fetch(lab.client, url(), check=False).stdout == "web-1\n")


@case("e2e/interface attached by hand comes back attached; one that was detached does not")
def by_hand(context):
    with open_lab(context) as lab:
        start(lab, [])
        make_pair(lab)
        lab.sluice("attach", "extra0", "--mode", "generic")
        lab.lb.ip("link del extra0")
        wait_for("it is seen to have gone", lambda: not attached(lab)["extra0"])
        make_pair(lab)
        wait_for("it is attached again", lambda: attached(lab)["extra0"])
        assert "generic" in [one["mode"] for one in lab.api("GET", "/v1/status")["interfaces"]]
        lab.lb.ip("link del extra0")
        wait_for("it is seen to have gone", lambda: not attached(lab)["extra0"])
        lab.sluice("detach", "extra0")
        assert attached(lab) == {"eth0": True}
        make_pair(lab)
        make_pair(lab, "later0", "later1")
        lab.sluice("attach", "later0")  # events come in order: that of extra0 has been seen
        assert attached(lab) == {"eth0": True, "later0": True}


@case("e2e/interface renamed while attached: its pin survives another one of its old name")
def renamed(context):
    with open_lab(context) as lab:
        config = lab.write_config([])
        lab.start_agent(config)
        make_pair(lab)
        lab.sluice("attach", "extra0")
        lab.lb.ip("link set extra0 name wan0")
        wait_for("the new name is shown", lambda: "wan0" in attached(lab))
        make_pair(lab, "extra0", "extra2")
        lab.sluice("attach", "extra0")
        assert attached(lab) == {"eth0": True, "wan0": True, "extra0": True}
        assert len(pins(lab)) == 3
        lab.agent.stop()
        lab.start_agent(config)
        assert attached(lab) == {"eth0": True, "wan0": True, "extra0": True}
        lab.sluice("detach", "wan0")
        assert len(pins(lab)) == 2 and attached(lab) == {"eth0": True, "extra0": True}
