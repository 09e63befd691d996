# SPDX-License-Identifier: GPL-2.0-only
"""The saved state: a full disk, a damaged file, a log that nobody reads."""

import fcntl
import json
import os
import signal

from lib.cases import case
from lib.world import backends, execute, fetch, open_lab, service, start, url, wait_for


def fill(folder):
    """Take all the room there is."""
    out = os.open(os.path.join(folder, "filler"), os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(out, bytes(4096))
    except OSError:
        os.close(out)


@case("e2e/a full disk: changes are refused, and an agent that starts again needs no room")
def full_disk(context):
    with open_lab(context) as lab:
        folder = lab.path("state")
        os.mkdir(folder)
        execute("mount", "-t", "tmpfs", "-o", "size=64k", "sluice-state", folder)
        try:
            start(lab, [service(lab, backends=backends(lab, 1))])
            lab.sluice("backend", "weight", "web", "web-1", "7")
            fill(folder)
            done = lab.sluice("backend", "weight", "web", "web-1", "8", check=False)
            assert done.returncode == 1 and "No space left on device" in done.stderr, done
            assert lab.service("web")["backends"][0]["weight_effective"] == 7
            assert sorted(os.listdir(folder)) == ["filler", "state.json"]
            lab.agent.stop(signal.SIGKILL)
            lab.start_agent(lab.agent.config)
            assert lab.service("web")["backends"][0]["weight_effective"] == 7
            assert lab.agent.stop() == 0
        finally:
            execute("umount", "-l", folder)


@case("e2e/a damaged saved state: it is said what to do, and forwarding goes on")
def damaged(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        assert lab.agent.stop() == 0
        path = lab.path("state", "state.json")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for damage, word in [("", "near"), (text[:len(text) // 2], "near"),
                             ("[]", "no object"), ("{}", "format 0 is not 1"),
                             (text.replace('"instance":"', '"instance":7,"was":"'), "instance"),
                             (text.replace('"orphans":[]', '"orphans":"x"'), "orphans"),
                             (text.replace('"number":0', '"number":99'), "number")]:
            assert damage != text
            with open(path, "w", encoding="utf-8") as file:
                file.write(damage)
            done = lab.lb.run(lab.sluiced, "--config", lab.agent.config, check=False)
            last = done.stderr.strip().splitlines()[-1]
            assert done.returncode == 1 and path in last and word in last, (damage, last)
            assert "sluiced --cleanup" in last, last
            with open(path, encoding="utf-8") as file:
                assert file.read() == damage
        assert fetch(lab.client, url()).stdout == "web-1\n"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        lab.start_agent(lab.agent.config)


@case("e2e/a log that nobody reads does not stop the agent")
def log_unread(context):
    with open_lab(context) as lab:
        config = lab.write_config([service(lab, backends=backends(lab, 1))])
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        lab.lb.spawn(lab.sluiced, "--config", config, stdout=writer, stderr=writer)
        os.close(writer)

        def answers():
            try:
                return lab.api("GET", "/v1/status")
            except OSError:
                return False
        wait_for("sluiced answers on its socket", answers)
        log = b""
        # Each change is a line of its own; the pipe has room for some 60 of them.
        for number in range(120):
            lab.api("PUT", "/v1/services/web/backends/web-1/weight",
                    json.dumps({"weight": number}))
        while b"lines are lost here" not in log:
            log += os.read(reader, 65536)
            lab.api("PUT", "/v1/services/web/backends/web-1/weight", json.dumps({"weight": 5}))
        os.close(reader)
        lab.api("PUT", "/v1/services/web/backends/web-1/weight", json.dumps({"weight": 6}))
        assert fetch(lab.client, url()).stdout == "web-1\n"
