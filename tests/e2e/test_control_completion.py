# SPDX-License-Identifier: GPL-2.0-only
"""Completion in real shells: what is typed with tabs becomes a call that the agent gets."""

import os
import pty
import re
import select
import subprocess
import time

from lib.cases import case
from lib.command import succeeds
from lib.fake_agent import fake_agent

BACKENDS = [{"name": "web-1", "address": "192.0.2.11"}, {"name": "web-2", "address": "192.0.2.12"}]
SERVICES = [{"name": "web", "vip": "192.0.2.80"}, {"name": "mail", "vip": "192.0.2.25"}]


def answers(agent):
    agent.on("GET", "/v1/services", {"services": SERVICES})
    agent.on("GET", "/v1/services/web/backends", {"backends": BACKENDS})
    agent.on("GET", "/v1/services/web/backends/web-2", BACKENDS[1])


def environment(context, agent):
    home = context.tmp / "home"
    home.mkdir(exist_ok=True)
    return {"PATH": f"{context.build.resolve()}:{os.environ['PATH']}", "HOME": str(home),
            "TERM": "dumb", "SLUICE_SOCKET": agent.socket, "LC_ALL": "C.UTF-8",
            "PS1": "READY> ", "PROMPT": "READY> "}


class Shell:
    """An interactive shell behind a terminal."""

    def __init__(self, context, agent, *command):
        self.context = context
        self.seen = ""
        self.pid, self.terminal = pty.fork()
        if not self.pid:
            os.execvpe(command[0], command, environment(context, agent))

    def type(self, text):
        os.write(self.terminal, text.encode())

    def wait(self, what, timeout_s=60):
        """Read until what() is true."""
        deadline = time.monotonic() + timeout_s
        while not what():
            assert time.monotonic() < deadline, f"waited in vain; the terminal: {self.seen!r}"
            if select.select([self.terminal], [], [], 0.1)[0]:
                self.seen += os.read(self.terminal, 65536).decode(errors="replace")

    def line(self, text):
        """A command of one's own, until the prompt is there again."""
        before = self.seen.count("READY> ")
        self.type(text + "\n")
        self.wait(lambda: self.seen.count("READY> ") > before)

    def close(self):
        self.context.log(f"the terminal:\n{self.seen}")
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


def types_a_call(context, *command, first=()):
    """Tabs complete verb, sub verb, service and backend; the agent gets what was meant."""
    with fake_agent(context.tmp / "s") as agent:
        answers(agent)
        shell = Shell(context, agent, *command)
        try:
            shell.wait(lambda: "READY> " in shell.seen)
            for text in first:
                shell.line(text)
            shell.type("sluice backe\tsho\tw\t\t")
            shell.wait(lambda: "show web web-" in re.sub(
                r"\x1b\[[^a-zA-Z]*[a-zA-Z]|\x07|\r|.\x08", "", shell.seen))
            shell.type("2\n")
            wanted = ("GET", "/v1/services/web/backends/web-2", "")
            shell.wait(lambda: wanted in agent.requests)
            shell.type("exit\n")
        finally:
            shell.close()


@case("control/completion: in bash, of verbs, services and backends", root=False)
def in_bash(context):
    types_a_call(context, "bash", "--norc", "--noprofile", "-i",
                 first=["source <(sluice completion bash)"])


@case("control/completion: in zsh, of verbs, services and backends", root=False)
def in_zsh(context):
    types_a_call(context, "zsh", "-f", "-i", first=[
        "autoload -U compinit; compinit -u -D", "source <(sluice completion zsh)"])


@case("control/completion: in fish, of verbs, services and backends", root=False)
def in_fish(context):
    with fake_agent(context.tmp / "s") as agent:
        answers(agent)

        def complete(line):
            done = subprocess.run(
                ["fish", "--no-config", "-c", "sluice completion fish | source; "
                 f"complete -C '{line}'"], capture_output=True, text=True, timeout=60,
                env=environment(context, agent))
            context.log(f"{line}: {done.stdout}{done.stderr}")
            assert done.returncode == 0 and not done.stderr
            return [row.split("\t")[0] for row in done.stdout.splitlines()]
        assert complete("sluice backe") == ["backend"]
        assert complete("sluice backend s") == ["show"]
        assert complete("sluice backend show ") == ["web", "mail"]
        assert complete("sluice backend show web ") == ["web-1", "web-2"]
        (context.tmp / "home" / "x.yaml").touch()
        assert complete(f"sluice apply -f {context.tmp}/home/x") == [f"{context.tmp}/home/x.yaml"]


@case("control/completion: every verb, option and choice of the table is a candidate", root=False)
def candidates(context):
    def ask(*words):
        return [row.split("\t")[0] for row in succeeds(
            context, "--complete", *words).stdout.splitlines()]
    listed = re.findall(r"^  ([a-z]+(?: [a-z]+)*)  ", succeeds(context, "--help").stdout, re.M)
    assert len(listed) > 25
    for verb in listed:
        words = verb.split()
        for number, word in enumerate(words):
            assert word in ask(*words[:number], word[:-1]), verb
        text = succeeds(context, *words, "--help").stdout
        options = re.findall(r"^  (?:-., |    )(--[a-z0-9-]+)", text, re.M)
        assert set(options) <= set(ask(*words, "-")), (verb, options)
    assert ask("attach", "--mode", "") == ask("attach", "-m", "") == ["auto", "native", "generic"]
    assert ask("attach", "--mode=g") == ["--mode=generic"]
    assert ask("apply", "--file", "/etc") == [":file"]
    assert ask("nonsense", "") == ask("backend", "nonsense", "") == []
    assert ask("backend", "ls", "", "--socket") and ask("--socket", "/none", "backend", "ls", "") == []
