# SPDX-License-Identifier: GPL-2.0-only
"""The journal: a full disk, a damaged file, a torn tail; and a log that nobody reads."""

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


def weight_set(lab, weight, check=True):
    return lab.sluice("backend", "weight", "web", "web-1", str(weight), check=check)


def weight_of(lab):
    return lab.service("web")["backends"][0]["weight_effective"]


@case("control/journal: a full disk refuses changes, loses none, and is no matter when it has room")
def full_disk(context):
    with open_lab(context) as lab:
        folder = lab.path("state")
        os.mkdir(folder)
        execute("mount", "-t", "tmpfs", "-o", "size=64k", "sluice-state", folder)
        try:
            start(lab, [service(lab, backends=backends(lab, 1))])
            weight_set(lab, 7)
            fill(folder)
            last, done = 7, None
            # What is left of the file's last page is room for a few.
            for weight in range(8, 40):
                done = weight_set(lab, weight, check=False)
                if done.returncode:
                    break
                last = weight
            assert done.returncode == 1 and "No space left on device" in done.stderr, done
            assert weight_of(lab) == last
            assert sorted(os.listdir(folder)) == ["filler", "journal"]
            lab.agent.stop(signal.SIGKILL)
            lab.start_agent(lab.agent.config)
            assert weight_of(lab) == last
            assert weight_set(lab, 41, check=False).returncode == 1
            os.unlink(os.path.join(folder, "filler"))
            weight_set(lab, 42)
            assert lab.agent.stop() == 0
            lab.start_agent(lab.agent.config)
            assert weight_of(lab) == 42
            assert lab.agent.stop() == 0
        finally:
            execute("umount", "-l", folder)


def journal_rest(path):
    """The records but for their frames, and the line of each."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines(keepends=True)
    assert lines[0] == "sluice journal 1\n", lines[0]
    return lines


@case("control/journal: where it is damaged is said, and what to do; forwarding goes on")
def damaged(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        weight_set(lab, 7)
        assert lab.agent.stop() == 0
        path = lab.path("state", "journal")
        lines = journal_rest(path)
        text = "".join(lines)
        place = text.index('"weight":100')
        for damage, word in [("", "first line"), (lines[0], "no whole snapshot"),
                             (text.replace("journal 1", "journal 2"), "first line"),
                             (text[:place] + "X" + text[place + 1:], "is damaged"),
                             ("".join(lines[:1] + lines[3:]), "record"),
                             (text[:-2] + "\n", "is damaged")]:
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
        assert weight_of(lab) == 7


@case("control/journal: in a folder that cannot be written nobody is told to remove it")
def read_only(context):
    with open_lab(context) as lab:
        folder = lab.path("state")
        os.mkdir(folder)
        execute("mount", "-t", "tmpfs", "-o", "size=1m", "sluice-state", folder)
        try:
            start(lab, [service(lab, backends=backends(lab, 1))])
            weight_set(lab, 7)
            assert lab.agent.stop() == 0
            execute("mount", "-o", "remount,ro", folder)
            done = lab.lb.run(lab.sluiced, "--config", lab.agent.config, check=False)
            last = done.stderr.strip().splitlines()[-1]
            assert done.returncode == 1 and "Read-only file system" in last, last
            assert "not damaged" in last and "--cleanup" not in last, last
            assert fetch(lab.client, url()).stdout == "web-1\n"
            execute("mount", "-o", "remount,rw", folder)
            lab.start_agent(lab.agent.config)
            assert weight_of(lab) == 7
            assert lab.agent.stop() == 0
        finally:
            execute("umount", "-l", folder)


@case("control/journal: a torn tail is cut at the start, and what was acknowledged is there")
def torn(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        weight_set(lab, 7)
        lab.agent.stop(signal.SIGKILL)
        path = lab.path("state", "journal")
        whole = os.path.getsize(path)
        with open(path, "rb+") as file:
            line = file.read().splitlines(keepends=True)[-1]
            file.write(line[: len(line) // 2])
        lab.start_agent(lab.agent.config)
        assert "were cut off while they were written" in lab.agent.log_tail()
        assert weight_of(lab) == 7
        assert os.path.getsize(path) != whole + len(line) // 2
        weight_set(lab, 8)
        lab.agent.stop(signal.SIGKILL)
        lab.start_agent(lab.agent.config)
        assert weight_of(lab) == 8
        assert os.stat(path).st_mode & 0o777 == 0o600


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
