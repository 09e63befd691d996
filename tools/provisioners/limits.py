# SPDX-License-Identifier: GPL-2.0-only
"""Sizes of backends, and control groups that hold them: CPU time and memory, changed while they run.

cgroup v2: cpu.max and memory.high. On a host that has these controllers in v1 hierarchies only:
cpu.cfs_quota_us and memory.limit_in_bytes; there, too much memory is not slowed down but refused.
"""

import errno
import os
import re
import signal
import time

from contract import QUOTA, RETRY, Refusal, bad_config

PERIOD_US = 100_000
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
SIZES_MAX = 16
OPTION = "NAME:CPUS:MEMORY,..., the smallest first, such as small:0.5:256M,large:2:1G"


def sizes_of(text):
    """The option "sizes" as {name: {"cpus", "memory"}}, in its order."""
    sizes, last = {}, 0
    for word in text.split(",") if text else []:
        match = re.fullmatch(r"([a-z0-9][a-z0-9.-]{0,62}):(\d+(?:\.\d+)?):(\d+)([KMG]?)", word)
        if not match:
            raise bad_config(f"option sizes: {word!r} is not of the form {OPTION}")
        name, cpus, memory = match[1], float(match[2]), int(match[3]) * UNITS[match[4]]
        if not 0.01 <= cpus <= 1024 or memory < 1 << 20:
            raise bad_config(f"option sizes: {word!r} is below 0.01 CPUs or 1M of memory, "
                             "or above 1024 CPUs")
        if name in sizes or cpus <= last:
            raise bad_config(f"option sizes: {word!r} has the name of another, or no more CPUs "
                             "than the one before it")
        sizes[name], last = {"cpus": cpus, "memory": memory}, cpus
    if len(sizes) > SIZES_MAX:
        raise bad_config(f"option sizes: {len(sizes)} are more than {SIZES_MAX}")
    return sizes


def capabilities(sizes, verbs):
    """With several sizes there is a resize; what a size can serve goes with its CPUs."""
    if len(sizes) < 2:
        return {"verbs": verbs}
    return {"verbs": [*verbs, "resize"],
            "sizes": [{"name": name, "capacity": size["cpus"]} for name, size in sizes.items()]}


def mounts():
    """Yield (mount point, kind, super options) of all control group hierarchies."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            left, right = line.rstrip("\n").split(" - ", 1)
            kind, _, options = right.split(" ", 2)
            if kind in ("cgroup", "cgroup2"):
                yield left.split(" ")[4], kind, options.split(",")


def hierarchies():
    """Where the controllers are: {"cpu": (version, mount point), "memory": ...}."""
    found = {}
    for point, kind, options in mounts():
        if kind == "cgroup":
            found |= {name: (1, point) for name in ("cpu", "memory") if name in options}
    for point, kind, _ in mounts():
        if kind == "cgroup2":
            with open(os.path.join(point, "cgroup.controllers"), encoding="utf-8") as file:
                there = file.read().split()
            found |= {name: (2, point) for name in ("cpu", "memory") if name in there}
    for name in "cpu", "memory":
        if name not in found:
            raise bad_config(f"option sizes: this host has no cgroup controller {name}; mount "
                             "cgroup2 (systemd.unified_cgroup_hierarchy=1), or give no sizes")
    return found


def write(folder, name, text):
    try:
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            file.write(text)
    except OSError as why:
        if why.errno == errno.EBUSY and name == "memory.limit_in_bytes":
            raise Refusal(QUOTA, f"{folder}: it uses more memory than {text} bytes") from None
        raise Refusal(RETRY, f"{folder}/{name}: {text!r} cannot be written: {why.strerror}; "
                      "another parent (option cgroup) may do") from None


class Group:
    """A control group for one backend, PARENT/NAME, in one hierarchy or in two."""

    def __init__(self, parent, name):
        self.places = hierarchies()
        self.parent, self.name = parent, name

    def folder(self, controller):
        return os.path.join(self.places[controller][1], self.parent, self.name)

    def folders(self):
        return sorted({self.folder(controller) for controller in self.places})

    def make(self):
        for controller, (version, root) in self.places.items():
            os.makedirs(self.folder(controller), exist_ok=True)
            place = root
            # A controller has to be passed on at every step of the way down.
            for step in ["", *self.parent.split("/")] if version == 2 else []:
                place = os.path.join(place, step)
                write(place, "cgroup.subtree_control", f"+{controller}")

    def set(self, size):
        """The CPU last: with more memory first, or with less of it refused, nothing is starved."""
        quota = int(size["cpus"] * PERIOD_US)
        if size["cpus"] > os.cpu_count():
            raise Refusal(QUOTA, f"{size['cpus']} CPUs: this host has {os.cpu_count()}")
        if self.places["memory"][0] == 2:
            write(self.folder("memory"), "memory.high", str(size["memory"]))
        else:
            write(self.folder("memory"), "memory.limit_in_bytes", str(size["memory"]))
        if self.places["cpu"][0] == 2:
            write(self.folder("cpu"), "cpu.max", f"{quota} {PERIOD_US}")
        else:
            write(self.folder("cpu"), "cpu.cfs_period_us", str(PERIOD_US))
            write(self.folder("cpu"), "cpu.cfs_quota_us", str(quota))

    def enter(self):
        """Move this process there, and so what it will start."""
        for folder in self.folders():
            with open(os.path.join(folder, "cgroup.procs"), "w", encoding="ascii") as file:
                file.write("0")

    def pids(self):
        found = set()
        for folder in self.folders():
            try:
                with open(os.path.join(folder, "cgroup.procs"), encoding="ascii") as file:
                    found |= {int(line) for line in file}
            except FileNotFoundError:
                pass
        return found

    def remove(self):
        """Kill what is in it, and remove it."""
        deadline = time.monotonic() + 5
        while (pids := self.pids()) and time.monotonic() < deadline:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.01)
        for folder in self.folders():
            while os.path.isdir(folder):
                try:
                    os.rmdir(folder)
                except FileNotFoundError:
                    break
                except OSError as why:  # a process that has ended is not yet gone
                    if time.monotonic() > deadline:
                        raise Refusal(RETRY, f"{folder}: {why.strerror}") from None
                    time.sleep(0.01)
