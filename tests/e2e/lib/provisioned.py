# SPDX-License-Identifier: GPL-2.0-only
"""What the cases about provisioners share: calls by the contract, and the agent's real loop."""

import json
import os
import signal
import subprocess
import time

from lib.command import sluice
from lib.world import VIP, Load, execute, service, wait_for


class Plugin:
    """A provisioner of the lab, called by itself."""

    def __init__(self, lab, name, mode="l2", **options):
        self.lab = lab
        self.path = lab.path("provisioners", name)
        self.options = {key: str(value) for key, value in options.items()}
        self.mode = mode

    def request(self, name=None, owner="me", port=80, vip=VIP[4], protocol="tcp", **more):
        asked = {"owner": owner, "spec": {**self.options, **more.pop("options", {})}}
        if name:
            asked.update(name=name, service={"name": "web", "vip": vip, "protocol": protocol,
                                             "port": port, "mode": self.mode})
        return json.dumps({**asked, **more})

    def call(self, verb, name=None, **more):
        """The answer of a call that must be done."""
        done = self.ask(verb, name, **more)
        assert done.returncode == 0, (verb, name, done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def ask(self, verb, name=None, **more):
        return execute(self.path, verb, text=self.request(name, **more), check=False)

    def refused(self, status, verb, name=None, says=(), **more):
        """It does not do it, and says why in one line."""
        done = self.ask(verb, name, **more)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        assert done.stdout == "" and done.stderr.count("\n") == 1, done
        for word in [says] if isinstance(says, str) else says:
            assert word in done.stderr, (word, done.stderr)

    def names(self, owner="me"):
        return sorted(one["name"] for one in self.call("list", owner=owner)["backends"])

    def killed(self, verb, name, after_s):
        """Call it, and kill it with all that it started, as the agent does."""
        process = subprocess.Popen([self.path, verb], stdin=subprocess.PIPE, text=True,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        process.stdin.write(self.request(name))
        process.stdin.close()
        time.sleep(after_s)  # where it is then does not matter, only that it varies
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()

    def killed_anywhere(self, left, create_s, steps=6, delete_s=0.1):
        """Killed at any point and called again: one object, then none. left() tells what is there
        of an object's name."""
        for step in range(steps):
            name = f"web-{step}"
            self.killed("create", name, create_s * step / steps)
            if step % 2 == 0:
                self.call("create", name)
                assert self.names() == [name], self.names()
            self.killed("delete", name, delete_s * step / steps)
            self.call("delete", name)
            assert self.names() == [], self.names()
            wait_for(f"nothing is left of {name}", lambda: not left(name))


def states(lab):
    return sorted(one["state"] for one in lab.service("web")["backends"])


def wait_pool(lab, size, timeout_s=60):
    wait_for(f"a pool of {size}", lambda: states(lab) == ["active"] * size, timeout_s)


def wait_servers(load, count, timeout_s=30):
    """So many servers answer, by the VIP."""
    wait_for(f"{count} servers answer", lambda: load.latest and count <= len(
        [one for one in load.latest["servers"].values() if one["answers"]]), timeout_s)


def loop(lab, plugin, mode="l2", rate=20, largest=2, timeout_s=60, **more):
    """The agent's own loop: one is created, serves, another one is, one goes, all are gone."""
    lab.start_agent(lab.write_config([service(lab, mode=mode, autoscale={
        "provisioner": plugin.path, "signal": "new_flows", "target": 100000, "min": 1, "max": 4,
        "options": [f"{key}={value}" for key, value in plugin.options.items()],
        "hold_ms": 500, "drain_ms": 1000, "call_timeout_ms": 60000, **more})]))
    wait_pool(lab, 1, timeout_s)
    load = Load(lab.client, VIP[4])
    load.rate(rate)
    load.wait_answers(rate)
    for size in ([largest, 1] if largest > 1 else []):
        lab.sluice("scale", "set", "web", "--min", str(size))
        wait_pool(lab, size, timeout_s)
        if size == largest:
            wait_servers(load, size)
    load.wait_answers(rate)
    totals = load.finish()
    assert not totals["failed"] and totals["answered"] == totals["started"], totals
    lab.sluice("apply", "-f", lab.write_config([]))
    wait_for("all are gone", lambda: plugin.names("lab-agent") == [], timeout_s)
    assert lab.agent.stop() == 0


def trial(context, path, *words, **options):
    done = sluice(context, "provision", "test", str(path), "--json", *words, **options)
    return done, json.loads(done.stdout)


def holds(context, lab, plugin, *skipped):
    """A provisioner of the project holds the contract, with options of a config."""
    config = lab.write_config([{
        "name": "web", "vip": "203.0.113.80", "protocol": "tcp", "port": 80, "mode": plugin.mode,
        "autoscale": {"provisioner": plugin.path, "target": 100, "options": [
            f"{key}={value}" for key, value in plugin.options.items()]}}])
    done, report = trial(context, plugin.path, "--config", config)
    assert done.returncode == 0 and report["clean"], report
    assert {one["check"].split(":")[0] for one in report["checks"]
            if one["result"] == "skipped"} == set(skipped), report
