# SPDX-License-Identifier: GPL-2.0-only
"""What the e2e cases share: a lab with an agent, services of a config, and checks."""

import contextlib
import json
import os
import subprocess
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tools", "lab"))

from lab import (LabError, Load, Lab, PROVISIONER, VIP, execute, kill_inside,  # noqa: E402,F401
                 wait_for)

UDP_ECHO = os.path.join(ROOT, "tests", "e2e", "lib", "udp_echo.py")


@contextlib.contextmanager
def open_lab(context, **options):
    """A lab; on failure the end of the agent's log is shown."""
    with Lab(build=str(context.build), **options) as lab:
        try:
            yield lab
        except BaseException:
            if lab.agent:
                context.log(f"the end of sluiced's log:\n{lab.agent.log_tail()}")
            raise


def service(lab, name="web", family=4, mode="l2", backends=(), **more):
    """A service of a config; backends are nodes of the lab."""
    return {"name": name, "vip": VIP[family], "protocol": "tcp", "port": 80, "mode": mode,
            "backends_max": 16,
            **({"backends": [backend(one) for one in backends]} if backends else {}), **more}


def backend(node, **more):
    return {"name": node.name, "address": node.target, **more}


def backends(lab, count, family=4, mode="l2", target_family=None, first=1):
    """Create so many backends web-N of the service's VIP."""
    return [lab.add_backend(f"web-{number}", VIP[family], mode, target_family or family)
            for number in range(first, first + count)]


def wait_reachable(lab, name="web"):
    """Wait until the agent knows the way to every backend that is to take flows."""
    wait_for(f"the backends of {name} are reachable", lambda: all(
        one["reachable"] for one in lab.service(name)["backends"] if one["state"] == "active"))


def start(lab, services, **options):
    """Write a config of these services, start the agent, wait until it can forward."""
    lab.start_agent(lab.write_config(services, **options))
    for one in services:
        wait_reachable(lab, one["name"])


def url(family=4, path="/"):
    return f"http://[{VIP[family]}]{path}" if family == 6 else f"http://{VIP[family]}{path}"


def fetch(node, address, *options, check=True):
    return node.run("curl", "-sS", "--fail", "--max-time", "30", *options, address, check=check)


def verdicts(lab):
    return {one["name"]: one["packets"] for one in lab.api("GET", "/v1/status")["verdicts"]}


def no_drops(lab):
    """The data plane dropped nothing."""
    drops = {name: count for name, count in verdicts(lab).items()
             if name.startswith("drop_") and count}
    assert not drops, f"dropped: {drops}"


def all_answered(totals):
    """Of a Load that has finished: nothing failed, and no held connection ended."""
    gone = {name: one["gone"] for name, one in totals["servers"].items() if one["gone"]}
    assert not totals["failed"], f"failed: {totals['failures']} {totals['errors']}"
    assert totals["answered"] == totals["started"] > 0, totals
    assert not gone, f"held connections ended: {gone}"


@contextlib.contextmanager
def under_load(lab, rate=300, held=20, held_ms=50):
    """Load on the VIP around the block; at its end nothing has failed and nothing was dropped."""
    load = Load(lab.client, VIP[4])
    load.rate(rate)
    load.keep(held, held_ms)
    load.wait_answers(rate)
    yield load
    load.wait_answers(rate)
    all_answered(load.finish())
    no_drops(lab)


@contextlib.contextmanager
def udp_kept(node, vip, port, sockets):
    """Packets from so many sockets, around the block: each one is answered, and no flow moves."""
    process = node.spawn("/usr/bin/python3", UDP_ECHO, "keep", vip, port, sockets, text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    yield process
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    totals = json.loads(out)
    assert totals["moved"] == 0 and totals["answers"], totals


def ask_udp(node, vip, port, sockets, packets):
    done = node.run("/usr/bin/python3", UDP_ECHO, "ask", vip, port, sockets, packets)
    return json.loads(done.stdout)


def serve_udp(node, vip, port):
    """A UDP server on a backend, ready when this returns."""
    node.spawn("/usr/bin/python3", UDP_ECHO, "serve", vip, port, node.name)
    wait_for(f"{node.name} serves UDP", lambda: node.run(
        "ss", "-Hlun", f"sport = :{port}").stdout)
