# SPDX-License-Identifier: GPL-2.0-only
"""The agent killed at system calls of a series of changes, and system calls that fail it.

strace injects both. After each kill the agent starts again, and must have every change that was
acknowledged, at most the one besides that was under way, whole, and maps that are as it wants.
"""

import http.client
import json
import os
import random
import signal
import time

from lib.cases import case
from lib.tracer import Tracer
from lib.world import LabError, backends, open_lab, service, start, wait_for, wait_reachable

OTHER = {"name": "api", "vip": "192.0.2.90", "protocol": "tcp", "port": 443, "mode": "l2",
         "backends_max": 16, "quic": False}
GONE = (OSError, http.client.HTTPException)

# Each leads from the state before it to that after it; after the last one all is as at first.
SERIES = [
    ("PUT", "/v1/services/web/backends/web-1/weight", {"weight": 7}),
    ("POST", "/v1/services/web/backends/web-2/drain", {"deadline_s": 3600}),
    ("PUT", "/v1/guard", {"service": "web", "deny": ["203.0.113.0/24", "2001:db8:1::/48"]}),
    ("POST", "/v1/services", OTHER),
    ("POST", "/v1/services/api/backends", {"name": "a", "address": "10.1.0.77", "weight": 10}),
    ("DELETE", "/v1/services/api", None),
    ("DELETE", "/v1/guard?service=web&prefix=203.0.113.0/24", None),
    ("PUT", "/v1/guard", {"service": "web", "remove": ["2001:db8:1::/48"]}),
    ("POST", "/v1/services/web/backends/web-2/undrain", None),
    ("PUT", "/v1/services/web/backends/web-1/weight", {"weight": 100}),
]


def state_of(lab):
    """What is wanted, as it is shown."""
    services = {one["name"]: [(b["name"], b["weight_effective"], b["state"])
                              for b in one["backends"]]
                for one in lab.api("GET", "/v1/services")["services"]}
    rules = lab.api("GET", "/v1/guard?service=web")["rules"]
    return json.dumps([services, [(one["prefix"], one["answer"]) for one in rules]])


def maps_check(lab):
    answer = lab.api("GET", "/v1/check")
    assert answer["equal"], answer


def ask(lab, step):
    return lab.api(step[0], step[1], step[2])


def start_roomy(lab):
    """Two backends, and room for services that were removed and whose flows are not yet gone."""
    path = lab.write_config([service(lab, backends=backends(lab, 2))])
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    config["limits"] |= {"services": 128, "backends": 8192, "slots": 8 << 20}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file)
    lab.start_agent(path)
    wait_reachable(lab)


def series_states(lab):
    """The states between the steps; the last is the first again."""
    states = [state_of(lab)]
    for step in SERIES:
        ask(lab, step)
        states.append(state_of(lab))
    assert states[0] == states[-1], states
    assert all(one != other for one, other in zip(states, states[1:])), states
    return states


class Killing:
    """Runs the series with a kill, and judges what is there after the restart."""

    def __init__(self, lab):
        # The first time sets weights that a person has set from then on.
        for step in SERIES:
            ask(lab, step)
        self.lab = lab
        self.states = series_states(lab)
        self.sequence = self.kills = self.undone = self.done_unsaid = 0

    def run(self, call, number):
        """Killed at so-manyeth such call. Whether it came to that."""
        lab = self.lab
        tracer = Tracer(lab, "-e", f"trace={call}", "-e",
                        f"inject={call}:signal=KILL:when={number}")
        done = 0
        try:
            for step in SERIES:
                ask(lab, step)
                done += 1
        except GONE:
            pass
        if done == len(SERIES):
            tracer.stop()
            return False
        lab.agent.process.wait(30)
        tracer.stop()
        self.kills += 1
        lab.agent.stop()
        lab.start_agent(lab.agent.config)
        self.judge(f"{call} {number}", done)
        return True

    def judge(self, where, done):
        now = state_of(self.lab)
        allowed = self.states[done:done + 2]
        assert now in allowed, f"killed at {where} in step {done}: {now}, not one of {allowed}"
        maps_check(self.lab)
        events = self.lab.api("GET", f"/v1/events?limit=4096&after={self.sequence}")
        numbers = [one["sequence"] for one in events["events"]]
        assert numbers and numbers == sorted(set(numbers)) and not events["lost"], where
        self.sequence = numbers[-1]
        if now == allowed[0]:
            self.undone += 1
        else:
            self.done_unsaid += 1
            done += 1
        for step in SERIES[done:]:
            ask(self.lab, step)
        assert state_of(self.lab) == self.states[0], where
        maps_check(self.lab)
        if self.kills % 30 == 0:
            self.wait_purged()

    def wait_purged(self):
        """A service that was removed has its place again: restarts alone never come to that."""
        wait_for("the agent purges", lambda: any(
            one["why"].startswith("purge") for one in self.lab.api(
                "GET", f"/v1/events?limit=4096&after={self.sequence}")["events"]))


def calls_of_series(lab):
    tracer = Tracer(lab)
    for step in SERIES:
        ask(lab, step)
    tracer.stop()
    return tracer.calls()


@case("control/killed: at any system call no acknowledged change is lost, none is there by half",
      timeout=240, soak_timeout=7200)
def killed(context):
    with open_lab(context) as lab:
        start_roomy(lab)
        killing = Killing(lab)
        calls = calls_of_series(lab)
        context.log(f"system calls of the series: {dict(calls)}")
        for call in ("pwrite64", "fdatasync", "bpf"):
            assert calls[call] >= 2, (call, calls)
        places = [(call, number) for call in calls for number in range(1, calls[call] + 1)]
        if not context.soak:
            seed = int(os.environ.get("SLUICE_TEST_SEED", "0")) or random.randrange(1, 1 << 32)
            context.log(f"seed {seed}")
            heart = [one for one in places if one[0] in ("pwrite64", "fdatasync", "bpf")]
            places = random.Random(seed).sample(heart, len(heart))
        until = time.monotonic() + (float("inf") if context.soak else 8)
        for call, number in places:
            killing.run(call, number)
            if time.monotonic() > until and killing.kills >= 3:
                break
        context.log(f"{killing.kills} kills; the change under way was not there after "
                    f"{killing.undone}, there after {killing.done_unsaid}")
        assert killing.kills >= 3
        if context.soak:
            assert killing.undone and killing.done_unsaid
            assert killing.kills > len(places) // 2, (killing.kills, len(places))


def start_killed(lab, call, number):
    """Start the agent, to be killed at its so-manyeth such call. Whether it came to that."""
    process = lab.lb.spawn("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                           f"inject={call}:signal=KILL:when={number}", lab.sluiced, "--config",
                           lab.agent.config, stdout=lab.agent.log, stderr=lab.agent.log)
    pid = 0

    def over():
        nonlocal pid
        if process.poll() is not None:
            return True
        try:
            pid = lab.api("GET", "/v1/status")["pid"]
        except GONE:
            return False
        return True
    wait_for("the agent is killed, or answers", over, timeout_s=60)
    if pid:
        os.kill(pid, signal.SIGKILL)
    process.wait(30)
    return not pid


@case("control/killed: while it starts, again and again, it loses nothing", soak=True,
      soak_timeout=3600)
def killed_starting(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 2))])
        for step in SERIES[:5]:
            ask(lab, step)
        wanted = state_of(lab)
        kills = 0
        for call in ("openat", "pwrite64", "fdatasync", "ftruncate", "bpf", "mmap", "read"):
            for number in range(1, 1000, 5):
                lab.agent.stop(signal.SIGKILL)
                with open(lab.path("state", "journal"), "ab") as file:
                    file.write(b"0123abcd 0000")
                lab.agent.log = open(lab.agent.log_path, "ab")
                killed_there = start_killed(lab, call, number)
                lab.agent.log.close()
                kills += killed_there
                lab.start_agent(lab.agent.config)
                assert state_of(lab) == wanted, (call, number)
                maps_check(lab)
                if not killed_there:
                    break
        context.log(f"{kills} kills")
        assert kills > 20


def refused(lab, step, word):
    try:
        ask(lab, step)
    except LabError as error:
        assert word in str(error), error
    else:
        raise AssertionError(f"{step} was not refused")


@case("control/journal: a change that the kernel refuses is taken back, and that is journaled")
def kernel_refuses(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 2))])
        before = state_of(lab)
        tracer = Tracer(lab, "-e", "trace=bpf", "-e", "inject=bpf:error=ENOMEM:when=1..8")
        refused(lab, SERIES[2], "500")
        tracer.stop()
        assert state_of(lab) == before
        maps_check(lab)
        made, back = lab.api("GET", "/v1/journal?limit=2")["events"]
        assert made["by"] == "person" and made["why"].startswith("guard of web: deny"), made
        assert back["by"] == "agent" and back["why"].startswith("taken back: "), back
        assert "Cannot allocate memory" in back["why"], back
        lab.agent.stop(signal.SIGKILL)
        lab.start_agent(lab.agent.config)
        assert state_of(lab) == before
        maps_check(lab)
        ask(lab, SERIES[2])
        maps_check(lab)


@case("control/journal: a disk that fails refuses changes, and is written anew when it works again")
def disk_fails(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 2))])
        before = state_of(lab)
        path = lab.path("state", "journal")
        for inject in ["pwrite64:error=EIO", "fdatasync:error=EIO"]:
            tracer = Tracer(lab, "-e", f"inject={inject}")
            for _ in range(2):
                refused(lab, SERIES[0], "Input/output error")
            tracer.stop()
            assert state_of(lab) == before
            maps_check(lab)
        # After a sync that failed the next change begins with a new file.
        inode = os.stat(path).st_ino
        ask(lab, SERIES[0])
        assert os.stat(path).st_ino != inode
        before = state_of(lab)
        # The way back has no room either: what was journaled is cut off.
        tracer = Tracer(lab, "-e", "inject=bpf:error=ENOMEM:when=1..8", "-e",
                        "inject=pwrite64:error=ENOSPC:when=2+")
        refused(lab, SERIES[2], "500")
        tracer.stop()
        lab.agent.stop(signal.SIGKILL)
        lab.start_agent(lab.agent.config)
        assert state_of(lab) == before
        maps_check(lab)
        ask(lab, SERIES[1])
        after = state_of(lab)
        assert after != before
        lab.agent.stop(signal.SIGKILL)
        lab.start_agent(lab.agent.config)
        assert state_of(lab) == after
