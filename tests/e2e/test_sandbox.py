# SPDX-License-Identifier: GPL-2.0-only
"""What the running agent may still do, who may talk to it, and what runs on its behalf."""

import os
import re
import signal

from lib.cases import ROOT, case
from lib.world import open_lab, service, start, wait_for

KEPT = {"NET_ADMIN": 12, "NET_RAW": 13, "PERFMON": 38, "BPF": 39}


def status(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        return [int(word) for word in file.read().split()]


def script(lab, name, text, mode=0o700):
    path = lab.path(name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def scaled(lab, path):
    return service(lab, autoscale={"provisioner": path, "target": 100, "max": 2})


@case("control/sandbox: the running agent has the stated capabilities, and a filter")
def sandbox(context):
    head = (ROOT / "user/agent/sandbox.h").read_text()
    stated = re.search(r"#define SANDBOX_CAPABILITIES\(X\) (.*)", head).group(1)
    assert set(re.findall(r"X\((\w+)\)", stated)) == set(KEPT), stated
    mask = f"{sum(1 << number for number in KEPT.values()):016x}"
    with open_lab(context) as lab:
        start(lab, [])
        shown = status(lab.agent.process.pid)
        assert [shown[name] for name in ("CapEff", "CapPrm", "CapBnd")] == [mask] * 3, shown
        assert shown["CapInh"] == shown["CapAmb"] == "0" * 16, shown
        assert (shown["NoNewPrivs"], shown["Seccomp"]) == ("1", "2"), shown
        [runner] = children(lab.agent.process.pid)
        assert status(runner)["Name"] == "sluiced-runner"
        assert status(runner)["Seccomp"] == "0"
        lab.agent.stop()
        assert not os.path.exists(f"/proc/{runner}")
        start(lab, [], sandbox=False)
        shown = status(lab.agent.process.pid)
        assert shown["Seccomp"] == "0" and shown["CapEff"] != mask, shown


@case("control/runner: provisioners have privileges that the agent has not, and end with it")
def privileges(context):
    with open_lab(context) as lab:
        path = script(lab, "provisioner", f"""#!/bin/sh
grep Cap /proc/self/status >{lab.path("caps")}
env >{lab.path("env")}
echo $$ >{lab.path("pid.new")}; mv {lab.path("pid.new")} {lab.path("pid")}
exec sleep 1000
""")
        start(lab, [scaled(lab, path)])
        wait_for("it runs", lambda: os.path.exists(lab.path("pid")))
        with open(lab.path("pid"), encoding="utf-8") as file:
            pid = int(file.read())
        with open(lab.path("caps"), encoding="utf-8") as file:
            effective = int(re.search(r"CapEff:\s*(\w+)", file.read()).group(1), 16)
        assert effective >> 21 & 1, f"{effective:x} has no SYS_ADMIN"
        lab.agent.stop(signal.SIGKILL)
        wait_for("it has ended", lambda: not os.path.exists(f"/proc/{pid}"))


@case("control/runner: an executable that others can write is refused with the reason")
def untrusted(context):
    with open_lab(context) as lab:
        path = script(lab, "provisioner", "#!/bin/sh\ntouch $0.ran\n", 0o777)
        start(lab, [scaled(lab, path)])
        told = wait_for("it is refused", lambda: re.search(
            r"could not be started: operation not permitted.*root", lab.agent.log_tail()))
        context.log(told.group(0))
        os.chmod(path, 0o755)
        lab.agent.stop()
        start(lab, [scaled(lab, path)], executables=["/usr/bin"])
        wait_for("what lies elsewhere is refused again", lambda: lab.agent.log_tail(
            1 << 20).rpartition("ready")[2].count("could not be started"))
        assert not os.path.exists(path + ".ran")
        lab.agent.stop()
        start(lab, [scaled(lab, path)], executables=[lab.folder])
        wait_for("it runs", lambda: os.path.exists(path + ".ran"))


@case("control/runner: when it is killed the agent stops and says so, to be started anew")
def runner_killed(context):
    with open_lab(context) as lab:
        start(lab, [])
        [runner] = children(lab.agent.process.pid)
        os.kill(runner, signal.SIGKILL)
        wait_for("the agent has stopped", lambda: lab.agent.process.poll() is not None)
        assert lab.agent.process.returncode == 1
        assert "runner: it has ended" in lab.agent.log_tail()
