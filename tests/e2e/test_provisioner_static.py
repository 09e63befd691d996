# SPDX-License-Identifier: GPL-2.0-only
"""The provisioner tools/provisioners/static: addresses handed out and taken back."""

import os

from lib.cases import case
from lib.provisioned import Plugin, holds, loop
from lib.world import backends, open_lab


def static(lab, **options):
    return Plugin(lab, "static", state=lab.path("static"), **options)


@case("autoscale/provisioner static: through the agent's loop, with nothing left handed out")
def through_the_agent(context):
    with open_lab(context) as lab:
        spare = backends(lab, 2)
        plugin = static(lab, addresses=",".join(node.target for node in spare))
        loop(lab, plugin)


@case("autoscale/provisioner static: holds the contract, and no address is handed out twice")
def contract(context):
    with open_lab(context) as lab:
        plugin = static(lab, addresses="198.18.2.1, 198.18.2.2:8080,[fd00:51::7]:8443")
        holds(context, lab, plugin, "sizes", "resize")
        told = [plugin.call("create", f"web-{n}", owner=owner)
                for n, owner in ((1, "me"), (2, "other"), (3, "me"))]
        assert sorted((one["address"], one.get("port")) for one in told) == [
            ("198.18.2.1", None), ("198.18.2.2", 8080), ("fd00:51::7", 8443)], told
        plugin.refused(11, "create", "web-4", says="all 3 servers are in use")
        # Given back, the one that has been back for longest is the next.
        for name in "web-3", "web-1":
            plugin.call("delete", name)
        for name, before in ("web-5", told[2]), ("web-6", told[0]):
            one = plugin.call("create", name)
            assert (one["address"], one.get("port")) == (
                before["address"], before.get("port")), (one, told)
        # One that was taken off the list goes on, and can be given back.
        plugin.options["addresses"] = "198.18.2.9"
        assert plugin.names() == ["web-5", "web-6"]
        plugin.call("delete", "web-5")
        plugin.call("delete", "web-6")
        plugin.call("delete", "web-2", owner="other")


@case("autoscale/provisioner static: killed at any point and called again, one is out or none")
def killed(context):
    with open_lab(context) as lab:
        plugin = static(lab, addresses="198.18.2.1")
        plugin.killed_anywhere(lambda name: os.path.exists(lab.path("static", "me", name)), 0.12)


@case("autoscale/provisioner static: a list in a file; what cannot be used is refused")
def refusals(context):
    with open_lab(context) as lab:
        path = lab.path("spare")
        with open(path, "w", encoding="utf-8") as file:
            file.write("# spare servers\n198.18.2.1   # the first\n\n198.18.2.2:81\n")
        plugin = static(lab, file=path)
        assert plugin.call("create", "web-1")["address"] == "198.18.2.1"
        assert plugin.call("create", "web-2")["port"] == 81
        for options, says in (
                ({"file": "/nowhere"}, "No such file"), ({"addresses": "198.18.2.1"}, "one of"),
                ({"file": "", "addresses": "web"}, "'web' in the list"),
                ({"file": "", "addresses": "198.18.2.1,198.18.2.1"}, "twice"),
                ({"file": "", "addresses": "198.18.2.1:70000"}, "70000"),
                ({"file": "", "addresses": "224.0.0.1"}, "no host"),
                ({"file": "", "addresses": " , "}, "empty"),
                ({"file": "", "addresses": ""}, "one of"), ({"colour": "red"}, "colour")):
            plugin.refused(12, "create", "web-3", says=says, options=options)
        # What was handed out is read, or nothing is done.
        with open(lab.path("static", "me", "web-1", "record"), "w", encoding="utf-8") as file:
            file.write("{")
        plugin.refused(10, "list", says="damaged")
