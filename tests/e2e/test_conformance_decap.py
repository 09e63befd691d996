# SPDX-License-Identifier: GPL-2.0-only
"""`sluice decap` on a backend: an agent of its own there takes the tunnel headers off."""

import copy
import os

from lib.cases import case
from lib.world import backends, fetch, open_lab, service, start, url, wait_for


def backend_agent(lab, node):
    """A lab whose agent runs beside the backend's server; before the balancer's agent starts."""
    own = copy.copy(lab)
    own.lb = node
    own.folder = lab.path("backend")
    os.mkdir(own.folder)
    os.makedirs(lab.pin_dir, exist_ok=True)
    own.pin_dir = os.path.join(lab.pin_dir, "backend")
    lab.pin_dir = os.path.join(lab.pin_dir, "first")
    own.start_agent(own.write_config([], attach=False))
    return own


def packets(own):
    listed = own.sluice_json("decap", "ls")["interfaces"]
    return listed[0]["packets"] if listed else None


def refused(lab, *words):
    done = lab.sluice(*words, check=False)
    assert done.returncode, done
    return done.stderr


@case("conformance/H4 decap: attached by the command, ipip and gue come off, other addresses pass")
def attach(context):
    with open_lab(context) as lab:
        node = backends(lab, 1, 4, "gue")[0]
        own = backend_agent(lab, node)
        # The lab's own program makes room.
        assert "attached already" in refused(own, "decap", "attach", "eth0")
        node.ip("link set dev eth0 xdpdrv off")
        start(lab, [service(lab, "web", mode="gue", backends=[node])])

        # To another address: the packets pass, and the backend has no use for them.
        own.sluice("decap", "attach", "eth0", "--address", "192.0.2.250,2001:db8::250")
        fetch(lab.client, url(), "--connect-timeout", "1", check=False)
        counts = packets(own)
        assert counts["pass_address"] > 0 and counts["gue"] == 0, counts
        assert "192.0.2.250,2001:db8::250" in own.sluice("decap", "ls").stdout
        assert "attached already" in refused(own, "decap", "attach", "eth0")
        own.sluice("decap", "detach", "eth0")
        assert "not attached" in refused(own, "decap", "detach", "eth0")
        assert packets(own) is None

        own.sluice("decap", "attach", "eth0", "--address", node.address())
        assert fetch(lab.client, url()).stdout == "web-1\n"
        counts = packets(own)
        assert counts["gue"] > 3 and not counts["pass_malformed"], counts

        # It goes on while its agent is away, and counts; a new agent finds it.
        own.agent.stop()
        assert fetch(lab.client, url()).stdout == "web-1\n"
        own.start_agent(own.write_config([], attach=False))
        assert packets(own)["gue"] > counts["gue"]

        lab.sluice("apply", "-f", lab.write_config([
            service(lab, "web", mode="ipip", backends=[node])], name="ipip.yaml"))
        wait_for("ipip packets come", lambda: fetch(
            lab.client, url(), "--connect-timeout", "1", check=False).stdout == "web-1\n")
        assert packets(own)["ipip"] > 3
        assert len(fetch(lab.client, url(4, "/big")).stdout) == 262144


@case("conformance/H4 decap: what cannot be attached is refused with the reason")
def refusals(context):
    with open_lab(context) as lab:
        start(lab, [])
        assert "no such interface" in refused(lab, "decap", "attach", "nowhere0")
        assert "not an address" in refused(lab, "decap", "attach", "eth0", "--address", "x")
        assert "address of a host" in refused(lab, "decap", "attach", "eth0", "-a", "224.0.0.1")
        # The balancer's own program is there.
        assert "attached already" in refused(lab, "decap", "attach", "eth0")
        assert lab.sluice("decap", "ls").stdout == ""
        lab.lb.ip("link add extra0 type veth peer name extra1")
        lab.sluice("decap", "attach", "extra0", "--port", "6081")
        one = lab.sluice_json("decap", "ls")["interfaces"][0]
        assert (one["name"], one["port"], one["addresses"]) == ("extra0", 6081, []), one
        # With its interface it is gone.
        lab.lb.ip("link del extra0")
        wait_for("it is gone", lambda: not lab.sluice_json("decap", "ls")["interfaces"])
