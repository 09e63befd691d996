# SPDX-License-Identifier: GPL-2.0-only
"""System calls of a running agent: counted, made to fail, or the last thing that it does."""

import collections
import os
import re
import signal
import subprocess

from lib.world import wait_for


class Tracer:
    """strace on the running agent, from when it is attached."""

    def __init__(self, lab, *options):
        self.path = lab.path("strace")
        self.process = lab.spawn("strace", "-f", "-qq", "-o", self.path, *options, "-p",
                                 lab.agent.process.pid, stderr=subprocess.DEVNULL)
        status = f"/proc/{lab.agent.process.pid}/task"

        def attached():
            # A call of the agent's own accord may have been the one.
            if lab.agent.process.poll() is not None:
                return True
            for task in os.listdir(status):
                with open(f"{status}/{task}/status", encoding="utf-8") as file:
                    if "TracerPid:\t0\n" in file.read():
                        return False
            return True
        wait_for("strace is attached", attached)

    def calls(self):
        """How often each system call was made."""
        with open(self.path, encoding="utf-8", errors="replace") as file:
            return collections.Counter(re.findall(r"^\d+ +([a-z0-9_]+)\(", file.read(), re.M))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
