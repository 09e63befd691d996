# SPDX-License-Identifier: GPL-2.0-only
"""The provisioner tools/provisioners/process: commands in namespaces, with control groups."""

import contextlib
import glob
import os

from lib.cases import case
from lib.provisioned import Plugin, loop
from lib.world import ROOT, VIP, execute, fetch, open_lab, url, wait_for

SERVER = os.path.join(ROOT, "tests", "e2e", "lib", "named_server.py")
COMMAND = f"/usr/bin/python3 -S {SERVER} {{address}} {{port}} {{name}}"
SIZES = "small:0.2:64M,large:1:128M"


def groups(lab):
    """The control groups below the lab's own, in whatever hierarchies there are."""
    return {os.path.basename(path.rstrip("/")): path for pattern in ("", "*/")
            for path in glob.glob(f"/sys/fs/cgroup/{pattern}{lab.id}/*/")}


@contextlib.contextmanager
def open_process(context, **options):
    """A lab with the provisioner; nothing of it is left at the end, in namespaces or groups."""
    with open_lab(context) as lab:
        shared = {key: value for key, value in lab.options().items()}
        try:
            yield lab, Plugin(lab, "process", **{**shared, "command": COMMAND, "sizes": SIZES,
                                                 "cgroup": lab.id, "stop_s": 1, **options})
            assert not groups(lab), groups(lab)
        finally:
            for path in groups(lab).values():
                for pid in open(path + "cgroup.procs", encoding="ascii").read().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), 9)
            for path in glob.glob(f"/sys/fs/cgroup/{lab.id}") + glob.glob(
                    f"/sys/fs/cgroup/*/{lab.id}"):
                wait_for("the groups can go", lambda: all(
                    gone(one) for one in [*glob.glob(path + "/*/"), path]))


def gone(path):
    try:
        os.rmdir(path)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


def limit(path):
    """CPU time in percent, as the kernel has it."""
    with contextlib.suppress(FileNotFoundError), open(path + "cpu.max", encoding="ascii") as file:
        quota, period = file.read().split()
        return round(100 * int(quota) / int(period))
    with open(path + "cpu.cfs_quota_us", encoding="ascii") as file:
        return int(file.read()) // 1000


def cpu_group(lab, name):
    return next(path for pattern in ("", "*/")
                for path in glob.glob(f"/sys/fs/cgroup/{pattern}{lab.id}/me_{name}/")
                if glob.glob(path + "cpu.max") + glob.glob(path + "cpu.cfs_quota_us"))


def memory_limit(lab, name):
    for pattern, file in ("", "memory.high"), ("*/", "memory.high"), (
            "*/", "memory.limit_in_bytes"):
        for path in glob.glob(f"/sys/fs/cgroup/{pattern}{lab.id}/me_{name}/{file}"):
            return int(open(path, encoding="ascii").read())
    return None


def throttled(path):
    with open(path + "cpu.stat", encoding="ascii") as file:
        return int(dict(line.split() for line in file)["nr_throttled"])


@case("autoscale/provisioner process: a command serves, is resized while it runs, and ends")
def life(context):
    with open_process(context) as (lab, plugin):
        able = plugin.call("capabilities")
        assert "resize" in able["verbs"], able
        assert [one["name"] for one in able["sizes"]] == ["small", "large"], able
        first = plugin.call("create", "web-1")
        assert plugin.call("create", "web-1") == first and first["size"] == "small", first
        lab.client.ip(f"route replace {VIP[4]} via {first['address']}")
        assert fetch(lab.client, url()).stdout == "web-1\n"
        group = cpu_group(lab, "web-1")
        assert limit(group) == 20 and memory_limit(lab, "web-1") == 64 << 20
        fetch(lab.client, url(path="/busy?0.1"))
        assert throttled(group) > 0
        before = plugin.call("get", "web-1")
        for _ in range(2):
            assert plugin.call("resize", "web-1", size="large") == {"name": "web-1",
                                                                    "size": "large"}
        assert limit(group) == 100 and memory_limit(lab, "web-1") == 128 << 20
        assert plugin.call("get", "web-1") == {**before, "size": "large"}
        assert before["state"] == "running", before
        assert plugin.call("create", "web-1")["address"] == first["address"]
        plugin.refused(12, "resize", "web-1", size="huge", says=["huge", "small, large"])
        plugin.refused(1, "resize", "web-2", size="large", says="none of this name")
        assert plugin.names() == ["web-1"] and plugin.names("other") == []
        for _ in range(2):
            assert plugin.call("delete", "web-1") == {}
        assert plugin.names() == [] and plugin.call("get", "web-1") == {}


@case("autoscale/provisioner process: through the agent's loop, with nothing left behind")
def through_the_agent(context):
    with open_process(context) as (lab, plugin):
        loop(lab, plugin)


@case("autoscale/provisioner process: killed at any point and called again, one is there or none")
def killed(context):
    with open_process(context) as (lab, plugin):
        plugin.killed_anywhere(
            lambda name: [one for one in groups(lab) if one.endswith(name)] or
            os.path.exists(f"/run/netns/{lab.prefix}{name}"), 0.4,
            steps=12 if context.soak else 6)


@case("autoscale/provisioner process: what cannot be done is refused with its reason")
def refusals(context):
    with open_process(context) as (lab, plugin):
        def refused(status, says, verb="create", **options):
            plugin.refused(status, verb, "web-1", says=says, options=options)

        refused(12, "no word", command=" ")
        refused(12, "quotation", command="'")
        refused(12, "/nowhere/server", command="/nowhere/server")
        refused(12, "huge", sizes="huge")
        refused(12, "no more CPUs", sizes="a:1:1G,b:1:2G")
        refused(12, "user nobody-here", user="nobody-here")
        refused(12, "below the root", cgroup="../other")
        refused(12, "br9", bridge="br9")
        refused(11, "CPUs", sizes="a:500:1G")
        plugin.call("delete", "web-1")
        refused(10, "ended with status 3: no such page", command="/bin/sh -c "
                "'echo no such page; exit 3'")
        plugin.call("delete", "web-1")
        refused(10, "does not accept", command="/bin/sleep 1000", ready_s="1")
        plugin.call("delete", "web-1")
        # A namespace that was there before, by whomever, is not taken away.
        execute("ip", "netns", "add", lab.prefix + "web-2")
        plugin.refused(14, "create", "web-2", says="not made for it")
        plugin.call("delete", "web-2")
        assert os.path.exists(f"/run/netns/{lab.prefix}web-2")


@case("autoscale/provisioner process: as a user of its own, without limits")
def as_user(context):
    with open_process(context, user="nobody", sizes="",
                      command="/bin/sh -c 'id -un >&2; exit 1'") as (lab, plugin):
        assert "resize" not in plugin.call("capabilities")["verbs"]
        plugin.refused(10, "create", "web-1", says="status 1: nobody")
        plugin.call("delete", "web-1")
