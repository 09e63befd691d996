# SPDX-License-Identifier: GPL-2.0-only
"""The provisioner tools/provisioners/qemu: virtual machines with Debian's kernel, emulated."""

import contextlib
import os
import subprocess

from lib.cases import ROOT, case
from lib.provisioned import Plugin, holds, loop
from lib.world import VIP, execute, fetch, open_lab, url

KERNEL = ROOT / "build" / "kernels" / "unpacked-6.12"


def machines(lab):
    """Emulators and taps of the lab that are there."""
    done = execute("ps", "-eo", "args")
    taps = lab.switch.run("ip", "-br", "link", "show", "type", "tun").stdout.split("\n")
    return [line[:80] for line in done.stdout.split("\n") if lab.path("qemu") in line
            and "qemu-system" in line] + [line for line in taps if line.startswith("sl-")]


@contextlib.contextmanager
def open_qemu(context, mode="l2", **more):
    """A lab with the provisioner; nothing of it is left at the end."""
    for tool in "qemu-system-x86_64", "busybox":
        if not os.access(f"/usr/bin/{tool}", os.X_OK):
            context.skip(f"{tool} is not installed; run: sudo make setup")
    done = subprocess.run([ROOT / "tools" / "kernels", "--unpack", "6.12", KERNEL],
                          capture_output=True, text=True)
    if done.returncode:
        context.skip(f"Debian's kernel is not to be had: {done.stderr.strip()}")
    with open_lab(context) as lab:
        shared = {name: value for name, value in lab.options(**more).items() if name not in (
            "prefix", "objects", "state")}
        plugin = Plugin(lab, "qemu", mode, state=lab.path("qemu"), kernel=KERNEL / "vmlinuz",
                        modules=KERNEL / "modules", **shared)
        yield lab, plugin
        assert not machines(lab), machines(lab)


@case("autoscale/provisioner qemu: a machine through the agent's loop, with nothing left behind",
      timeout=240)
def through_the_agent(context):
    with open_qemu(context) as (lab, plugin):
        loop(lab, plugin, rate=5, largest=2 if context.soak else 1, timeout_s=120)


@case("autoscale/provisioner qemu: over ipip", soak=True)
def modes(context):
    with open_qemu(context, "ipip") as (lab, plugin):
        plugin.refused(12, "create", "web-1", says="IPv4 in IPv6", options={"family": "6"})
        loop(lab, plugin, mode="ipip", rate=5, largest=1, timeout_s=120)


@case("autoscale/provisioner qemu: holds the contract", soak=True)
def contract(context):
    with open_qemu(context, sizes="one:1:160M,two:2:192M") as (lab, plugin):
        holds(context, lab, plugin)


@case("autoscale/provisioner qemu: killed at any point and called again, one runs or none",
      soak=True)
def killed(context):
    with open_qemu(context) as (lab, plugin):
        plugin.killed_anywhere(lambda name: machines(lab), 6, steps=8, delete_s=0.5)


@case("autoscale/provisioner qemu: resized, another machine takes its place at its address",
      soak=True)
def resized(context):
    with open_qemu(context, sizes="one:1:160M,two:2:192M") as (lab, plugin):
        able = plugin.call("capabilities")
        assert able["resize"] == "replace" and len(able["sizes"]) == 2, able
        one = plugin.call("create", "web-1")
        before = machines(lab)
        assert plugin.call("create", "web-1") == one and machines(lab) == before
        assert plugin.call("resize", "web-1", size="two") == {"name": "web-1", "size": "two"}
        assert plugin.call("get", "web-1") == {**one, "size": "two", "state": "running"}
        lab.client.ip(f"route replace {VIP[4]} via {one['address']}")
        assert fetch(lab.client, url()).stdout == "web-1\n"
        done = execute("ps", "-eo", "args").stdout
        assert [line for line in done.split("\n") if "-smp 2" in line and lab.path("qemu") in line]
        plugin.call("delete", "web-1")


@case("autoscale/provisioner qemu: what it lacks is told; what does not start is given up")
def refusals(context):
    with open_qemu(context) as (lab, plugin):
        for options, says in (
                ({"qemu": "/nowhere/qemu"}, "install qemu-system-x86"),
                ({"busybox": "/nowhere/busybox"}, "install busybox-static"),
                ({"kernel": "/nowhere/vmlinuz"}, "option kernel: /nowhere/vmlinuz"),
                ({"modules": "/nowhere"}, "option modules: /nowhere"),
                ({"initrd": "/nowhere"}, "option initrd: /nowhere"),
                ({"bridge": "br9"}, "br9"), ({"accel": "hvf"}, "neither tcg nor kvm"),
                ({"sizes": "half:0.5:1G"}, "whole CPUs"), ({"sizes": ""}, "has none"),
                ({"subnet4": "", "subnet6": ""}, "subnet4")):
            plugin.refused(12, "create", "web-1", says=says, options=options)
        plugin.mode = "gue"
        plugin.refused(12, "create", "web-1", says="gue")
        plugin.mode = "l2"
        assert plugin.names() == [] and not machines(lab)
        # A kernel that is none: the emulator says so.
        path = lab.path("no-kernel")
        with open(path, "wb") as file:
            file.write(b"no kernel" * 1000)
        plugin.refused(10, "create", "web-1", says="qemu: ", options={"kernel": path})
        plugin.call("delete", "web-1")
        # One that never says that it is ready is still going on, until it is given up.
        slow = {"ready": "never said", "wait_s": "0"}
        plugin.refused(15, "create", "web-2", says="is starting", options=slow)
        assert plugin.call("get", "web-2", options=slow)["state"] == "starting"
        plugin.call("delete", "web-2", options=slow)
