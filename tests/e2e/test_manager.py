# SPDX-License-Identifier: GPL-2.0-only
"""What sluiced tells the service manager that started it, and the unit that it is started by."""

import os
import re
import signal
import socket
import subprocess

from lib.cases import ROOT, case
from lib.world import open_lab, service, wait_for

UNIT = ROOT / "tools" / "systemd" / "sluiced.service"


class Manager:
    """A socket such as a service manager has."""

    def __init__(self, lab, watchdog_ms=0):
        self.path = lab.path("notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.environ["NOTIFY_SOCKET"] = self.path
        os.environ.pop("WATCHDOG_PID", None)
        os.environ["WATCHDOG_USEC"] = str(1000 * watchdog_ms)

    def told(self, timeout_s):
        """The next message, or "" if none comes in time."""
        self.socket.settimeout(timeout_s)
        try:
            return self.socket.recv(4096).decode()
        except TimeoutError:
            return ""

    def wait(self, words, timeout_s=30):
        while text := self.told(timeout_s):
            if re.search(words, text):
                return text
        raise AssertionError(f"never told {words}")


@case("control/manager: READY when the API answers, then RELOADING, READY, STOPPING")
def notified(context):
    with open_lab(context) as lab:
        manager = Manager(lab)
        lab.start_agent(lab.write_config([service(lab)]), wait=False)
        assert "STATUS=1 services" in manager.wait("READY=1")
        assert lab.api("GET", "/v1/status")["pid"] == lab.agent.process.pid
        lab.agent.process.send_signal(signal.SIGHUP)
        assert re.search(r"MONOTONIC_USEC=\d+\n", manager.wait("RELOADING=1"))
        manager.wait("READY=1")
        with open(lab.agent.config, "w", encoding="utf-8") as file:
            file.write("nonsense: true\n")
        lab.agent.process.send_signal(signal.SIGHUP)
        manager.wait("READY=1\nSTATUS=1 services.*reload failed: ")
        lab.agent.process.send_signal(signal.SIGTERM)
        manager.wait("STOPPING=1")
        assert lab.agent.process.wait(30) == 0


@case("control/manager: a start that fails is never READY")
def never_ready(context):
    with open_lab(context) as lab:
        manager = Manager(lab)
        lab.start_agent(lab.write_config([], metrics="192.0.2.1:1", metrics_remote=True),
                        wait=False)
        assert lab.agent.process.wait(30) == 1
        assert "READY=1" not in manager.told(0.01)


@case("control/manager: the watchdog hears from a loop that runs, and not from one that is stuck")
def watchdog(context):
    with open_lab(context) as lab:
        manager = Manager(lab, watchdog_ms=900)
        config = lab.write_config([])
        lab.start_agent(config, wait=False)
        manager.wait("READY=1")
        for _ in range(3):
            manager.wait("WATCHDOG=1")
        with open(config, "rb") as file:
            text = file.read()
        # A config on a file system that hangs: the reload waits until somebody writes.
        os.unlink(config)
        os.mkfifo(config)
        lab.agent.process.send_signal(signal.SIGHUP)
        manager.wait("RELOADING=1")
        assert manager.told(3) == "", "the loop is stuck, and told something"
        with open(config, "wb") as file:
            file.write(text)
        manager.wait("READY=1")
        manager.wait("WATCHDOG=1")


@case("control/manager: the unit is one that systemd takes, and exposes little", root=False)
def unit(context):
    if subprocess.run(["sh", "-c", "command -v systemd-analyze"], capture_output=True).returncode:
        context.skip("systemd-analyze is not installed")
    text = UNIT.read_text().replace("@PREFIX@/sbin/sluiced", "/bin/true")
    path = context.tmp / "sluiced.service"
    path.write_text(text.replace("@PREFIX@/bin/sluice", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True,
                          text=True, timeout=60)
    context.log(done.stdout + done.stderr)
    assert done.returncode == 0 and "sluiced.service:" not in done.stderr
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", path],
                          capture_output=True, text=True, timeout=60)
    context.log(done.stdout + done.stderr)
    exposure = float(re.search(r"exposure level[^:]*: ([\d.]+)", done.stdout).group(1))
    assert exposure <= 5.0, exposure
