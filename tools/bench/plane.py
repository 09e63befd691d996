#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What many services cost the agent: seconds of an apply from nothing, milliseconds until a backend
that flips is in the kernel, its CPU while nothing happens, its memory. Adds them to a JSON file.

    plane.py [--services N] [--backends N] [--idle SECONDS] FIGURES.json
"""

import argparse
import ctypes
import json
import mmap
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lab"))

from lab import Lab, LabError, wait_for  # noqa: E402

RECORD_WORDS = 8  # of struct service, 8 bytes each; the first one is the word of its table
FLIPS = 20


class Tables:
    """The words of all services' tables, as packets find them."""

    def __init__(self, pin_dir, services):
        libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
        fd = libbpf.bpf_obj_get(os.path.join(pin_dir, "services").encode())
        if fd < 0:
            raise LabError(f"{pin_dir}/services: cannot be opened: {os.strerror(-fd)}")
        self.memory = mmap.mmap(fd, services * RECORD_WORDS * 8, mmap.MAP_SHARED, mmap.PROT_READ)
        os.close(fd)
        self.words = memoryview(self.memory).cast("Q")

    def now(self):
        return self.words[::RECORD_WORDS].tolist()

    def close(self):
        self.words.release()
        self.memory.close()


def services(count, backends):
    """All pools have other backends, and all of those are behind one router."""
    return [{"name": f"s{i}", "vip": f"203.0.{i // 250}.{i % 250 + 1}", "protocol": "tcp",
             "port": 80, "mode": "ipip", "backends_max": backends,
             "backends": [{"name": f"b{k}", "address": f"10.{i // 200 + 1}.{i % 200}.{k + 1}"}
                          for k in range(backends)]} for i in range(count)]


def limits(count, backends):
    return {"services": count + 12, "backends": 2 * count * backends, "flows": 1048576,
            "slots": 2 * 65552 * (count + 12)}


def cpu_ms(pid):
    """Of its threads, so far."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e6


def memory_bytes(pid):
    """Resident: its own, and with the pages of the maps that it has touched."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return tuple(int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "VmRSS"))


def apply_whole(lab, wanted):
    """Seconds, and those of the agent's CPU."""
    path = lab.write_config(wanted, "full.yaml", limits=lab.limits)
    start, cpu = time.monotonic(), cpu_ms(lab.agent.process.pid)
    lab.sluice("apply", "-f", path, timeout=300)
    return time.monotonic() - start, (cpu_ms(lab.agent.process.pid) - cpu) / 1000


def flip(lab, number, weight):
    """Take a backend's new flows from it, or give it them again; ms until the kernel's table says so,
    and how many tables are others then."""
    tables = Tables(lab.pin_dir, lab.limits["services"])
    name = f"s{number}"
    before = tables.now()
    start = time.monotonic()
    lab.api("PUT", f"/v1/services/{name}/backends/b1/weight", {"weight": weight})
    while tables.now() == before:
        if time.monotonic() - start > 60:
            raise LabError(f"{name}: its table has not changed after 60 s")
        time.sleep(0.0002)
    after = time.monotonic()
    changed = sum(a != b for a, b in zip(before, tables.now()))
    tables.close()
    return (after - start) * 1000, changed


def flips(lab, count):
    pid = lab.agent.process.pid
    results, cpu = [], cpu_ms(pid)
    # Not the same service twice in a row: a table waits until no packet can read the one before.
    for weight in 0, 100:
        results += [flip(lab, turn * 7 % count, weight) for turn in range(FLIPS)]
    times = [ms for ms, _ in results]
    return {"flip_ms": statistics.median(times), "flip_max_ms": max(times),
            "flip_cpu_ms": (cpu_ms(pid) - cpu) / len(results),
            "flip_tables_max": max(changed for _, changed in results)}


def idle_percent(lab, seconds):
    pid = lab.agent.process.pid
    cpu, start = cpu_ms(pid), time.monotonic()
    time.sleep(seconds)  # the figure is a mean over time: there is no event to wait for
    return (cpu_ms(pid) - cpu) / ((time.monotonic() - start) * 1000) * 100


def ready(lab, wanted):
    """Every backend has a next hop."""
    shown = lab.api("GET", f"/v1/services/{wanted[-1]['name']}")["backends"]
    return all(one["reachable"] for one in shown)


def measure(lab, arguments):
    count, backends = arguments.services, arguments.backends
    wanted = services(count, backends)
    lab.limits = limits(count, backends)
    lab.lb.ip(f"route add 10.0.0.0/8 via {lab.client.address()}")
    lab.start_agent(lab.write_config([], limits=lab.limits))
    seconds, cpu = apply_whole(lab, wanted)
    figures = {f"apply_{count}x{backends}_s": seconds, f"apply_{count}x{backends}_cpu_s": cpu}
    wait_for("the backends have a next hop", lambda: ready(lab, wanted), timeout_s=60)
    figures |= flips(lab, count)
    if arguments.idle:
        figures["agent_idle_cpu_percent"] = idle_percent(lab, arguments.idle)
    own, rss = memory_bytes(lab.agent.process.pid)
    figures |= {"agent_own_bytes": own, "agent_rss_bytes": rss}
    lab.agent.stop()
    lab.lb.run(lab.sluiced, "--config", lab.agent.config, "--cleanup")
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--services", type=int, default=500)
    parser.add_argument("--backends", type=int, default=100)
    parser.add_argument("--idle", type=float, default=0, help="seconds to watch the idle agent")
    parser.add_argument("file")
    arguments = parser.parse_args()
    try:
        with Lab() as lab:
            # Routes to so many addresses are not needed: no client asks for them.
            lab.add_vip = lambda vip: None
            figures = measure(lab, arguments)
    except (LabError, OSError) as why:
        sys.exit(f"plane.py: {why}")
    known = {}
    if os.path.exists(arguments.file):
        with open(arguments.file, encoding="utf-8") as file:
            known = json.load(file)
    for name, value in figures.items():
        print(f"{name:<42} {value:14.2f}")
    with open(arguments.file, "w", encoding="utf-8") as file:
        json.dump(known | figures, file, indent=2)
        file.write("\n")


if __name__ == "__main__":
    main()
