# SPDX-License-Identifier: GPL-2.0-only
"""Agents of other versions and limits: the maps give way to new ones, and no packet notices."""

import contextlib
import http.client
import os
import signal

from lib.cases import case
from lib.world import (VIP, LabError, backends, execute, open_lab, serve_udp, service, udp_kept,
                       under_load, verdicts, wait_for, wait_reachable)

PLACES = {"services": 2, "backends": 48, "slots": 65536}


def two_services(lab, nodes):
    """The second one has its places in the maps behind those of the first one."""
    return [service(lab, "first", port=81, backends=nodes[:1]), service(lab, backends=nodes)]


def restart(lab, config, number=signal.SIGTERM):
    lab.agent.stop(number)
    lab.start_agent(config)
    wait_reachable(lab)


def pins(lab):
    return sorted(os.listdir(lab.pin_dir))


def log_since(lab, size):
    with open(lab.agent.log_path, "rb") as file:
        file.seek(size)
        return file.read().decode()


def make_old(lab):
    """What is pinned becomes that of an older version; the agent must not run."""
    execute(os.path.join(lab.build, "tools", "old"), lab.pin_dir,
            os.path.join(lab.build, "bpf", "old.bpf.o"))


class Watch:
    """What must go on over a restart."""

    def __init__(self, lab):
        self.lab = lab
        self.before = self.now()

    def live(self):
        return sum(one["live_flows"] for one in self.lab.service("web")["backends"])

    def now(self):
        web = self.lab.service("web")
        return (web["packets"], [one["packets"] for one in web["backends"]],
                verdicts(self.lab)["forward_l2"], web["digest"], web["generation"])

    def check(self, load):
        now = self.now()
        assert now[0] > self.before[0], "the service's counter fell"
        assert all(a <= b for a, b in zip(self.before[1], now[1])), (self.before, now)
        assert now[2] > self.before[2], "the verdict's counter fell"
        assert now[3:] == self.before[3:], "the table was made anew"
        load.wait_answers(100)
        wait_for("the held flows are counted", lambda: self.live() >= 20)
        self.before = now


@contextlib.contextmanager
def flows_by_entries(lab):
    """Load, with held flows whose slots lead elsewhere: they are found by their entries alone."""
    lab.api("POST", "/v1/services/web/backends/web-2/drain", {"deadline_s": 0})
    with under_load(lab, rate=200, held=40) as load:
        lab.api("POST", "/v1/services/web/backends/web-2/undrain")
        yield load, Watch(lab)


@case("control/limits change with a restart: no request fails, no flow moves, counters go on")
def limits_change(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 3)
        both = two_services(lab, nodes)
        lab.start_agent(lab.write_config(both))
        wait_reachable(lab)
        lab.sluice("backend", "weight", "web", "web-2", "37")
        with flows_by_entries(lab) as (load, watch):
            names = pins(lab)
            turns = [(both, {"flows": 262144}), (both[1:], PLACES)]
            if context.soak:
                turns += [(both[1:], {"flows": 4096}), (both, {"flows": 8192}),
                          (both[1:], {"services": 64, "backends": 4096, "slots": 4194304}),
                          (both[1:], PLACES), (both[1:], {})]
            for services, limits in turns:
                context.log(f"limits {limits}")
                restart(lab, lab.write_config(services, limits=limits))
                watch.check(load)
                assert pins(lab) == names
                web = {one["name"]: one for one in lab.service("web")["backends"]}
                assert web["web-2"]["weight_runtime"] == 37, web


@case("control/an older layout of the maps: its flows, counters and tables go on, nothing is lost")
def older_layout(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 3)
        both = two_services(lab, nodes)
        config = lab.write_config(both)
        lab.start_agent(config)
        wait_reachable(lab)
        with flows_by_entries(lab) as (load, watch):
            for limits in ({}, {"flows": 131072})[not context.soak:]:
                size = os.path.getsize(lab.agent.log_path)
                lab.agent.stop(signal.SIGTERM)
                make_old(lab)
                load.wait_answers(100)
                lab.start_agent(lab.write_config(both, limits=limits))
                wait_reachable(lab)
                assert "in force" in log_since(lab, size), log_since(lab, size)
                watch.check(load)


@case("control/restarts under load, with changes of the limits among them: no packet is lost, no "
      "flow moves")
def many_restarts(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 3)
        for node in nodes:
            serve_udp(node, VIP[4], 5300)
        both = [service(lab, backends=nodes),
                service(lab, "echo", backends=nodes, protocol="udp", port=5300)]
        sizes = {}, {"flows": 131072}, {"flows": 32768, "backends": 256}
        configs = [lab.write_config(both, f"{number}.yaml", limits=limits)
                   for number, limits in enumerate(sizes)]
        lab.start_agent(configs[0])
        wait_reachable(lab)
        wait_reachable(lab, "echo")
        with flows_by_entries(lab) as (load, watch), udp_kept(lab.client, VIP[4], 5300, 20) as udp:
            for turn in range(1, (200 if context.soak else 10) + 1):
                lab.agent.stop(signal.SIGKILL if turn % 3 == 0 else signal.SIGTERM)
                lab.start_agent(configs[turn // 4 % len(configs)])
                assert udp.poll() is None, f"restart {turn}: {udp.stderr.read()}"
                if turn % 5 == 0:
                    watch.check(load)
                    context.log(f"{turn} restarts")


class Traced:
    """An agent below strace, from which it may get signals and errors at a system call."""

    KINDS = "bpf", "rename", "mkdir", "unlink", "rmdir"

    def __init__(self, lab, config, inject=None):
        self.lab = lab
        self.calls = lab.path("calls")
        words = ["-e", f"inject={inject}"] if inject else []
        with open(lab.agent.log_path, "ab") as log:
            self.process = lab.lb.spawn("strace", "-f", "-s", "64", "-o", self.calls, "-e",
                                        f"trace={','.join(self.KINDS)}", *words, lab.sluiced,
                                        "--config", config, stdout=log, stderr=log)

    def wait(self):
        """Until it has ended, or is ready and then killed; whether it was ready."""
        def answers():
            with contextlib.suppress(OSError, http.client.HTTPException, LabError):
                return self.lab.api("GET", "/v1/status")["pid"]
            return self.process.poll() is not None
        pid = wait_for("the agent is ready or has ended", answers, timeout_s=60)
        if pid is not True:
            os.kill(pid, signal.SIGKILL)
        self.process.wait(60)
        return pid is not True

    def numbers(self, kind, text=""):
        """Which calls of a kind have the text."""
        with open(self.calls, encoding="utf-8", errors="replace") as file:
            calls = [line for line in file if f" {kind}(" in line]
        return [number for number, line in enumerate(calls, 1) if text in line]


def rehearse(lab, config):
    """One whole change to the maps of this config; all its system calls."""
    lab.agent.stop(signal.SIGTERM)
    traced = Traced(lab, config)
    assert traced.wait()
    return traced


def steps_to_die_at(context, traced):
    """Pairs of a kind of call and its number."""
    renames = traced.numbers("rename", "/swap")
    links = traced.numbers("bpf", "LINK_UPDATE")
    chosen = [("rename", renames[0]), ("bpf", links[0]), ("rename", renames[-1])]
    if context.soak:
        chosen += [(kind, number) for kind in Traced.KINDS for number in traced.numbers(kind)]
    return chosen


@case("control/an agent killed at any step of the way to new maps: the next one is as if it was not",
      timeout=180.0)
def killed_on_the_way(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 3)
        configs = [lab.write_config(two_services(lab, nodes)[1:], name=f"{number}.yaml",
                                    limits=limits) for number, limits in enumerate((PLACES, {}))]
        lab.start_agent(lab.write_config(two_services(lab, nodes)))
        wait_reachable(lab)
        with flows_by_entries(lab) as (load, watch):
            names = pins(lab)
            traced = rehearse(lab, configs[0])
            lab.start_agent(configs[0])
            for turn, (kind, number) in enumerate(steps_to_die_at(context, traced), 1):
                lab.agent.stop(signal.SIGTERM)
                ready = Traced(lab, configs[turn % 2], f"{kind}:signal=SIGKILL:when={number}").wait()
                context.log(f"killed at {kind} {number}; it was ready: {ready}")
                load.wait_answers(50)
                lab.start_agent(configs[turn % 2])
                watch.check(load)
                assert pins(lab) == names


@case("control/a program that the kernel refuses: the agent says so and ends, the one before goes on")
def refused_program(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 2)
        both = two_services(lab, nodes)
        first = lab.write_config(both)
        second = lab.write_config(both, name="second.yaml", limits={"flows": 131072})
        lab.start_agent(first)
        wait_reachable(lab)
        with flows_by_entries(lab) as (load, watch):
            names = pins(lab)
            lab.agent.stop(signal.SIGTERM)
            traced = Traced(lab, second, "bpf:error=EINVAL:when=10000")
            assert traced.wait()
            number = traced.numbers("bpf", 'prog_name="sluice",')[-1]
            link = traced.numbers("bpf", "LINK_UPDATE")[0]
            lab.start_agent(second)
            # libbpf tries a second time, to have the verifier's words.
            for when, why in ((f"{number}+", "kernel refuses"), (link, "cannot swap the program")):
                lab.agent.stop(signal.SIGTERM)
                size = os.path.getsize(lab.agent.log_path)
                traced = Traced(lab, first, f"bpf:error=EINVAL:when={when}")
                assert not traced.wait() and traced.process.returncode == 1
                assert why in log_since(lab, size) and "before go on" in log_since(lab, size)
                load.wait_answers(100)
                assert pins(lab) == names
                lab.start_agent(second)
                watch.check(load)


@case("control/services that smaller limits have no room for: the agent says so, nothing has changed")
def limits_too_small(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 2)
        both = two_services(lab, nodes)
        lab.start_agent(lab.write_config(both))
        wait_reachable(lab)
        lab.api("POST", "/v1/services", service(lab, "more", port=82, backends=nodes))
        with flows_by_entries(lab) as (load, watch):
            names = pins(lab)
            lab.agent.stop(signal.SIGTERM)
            try:
                lab.start_agent(lab.write_config(both, limits={"services": 2}))
                raise AssertionError("the agent has started")
            except LabError as why:
                assert "service more: no room left in limits.services 2" in str(why), why
                assert "exit status 1" in str(why), why
            load.wait_answers(100)
            assert pins(lab) == names
            lab.start_agent(lab.write_config(both))
            watch.check(load)
            assert lab.service("more")
