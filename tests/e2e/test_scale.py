# SPDX-License-Identifier: GPL-2.0-only
"""The autoscaling loop with real backends, and with provisioners that misbehave."""

import json
import os
import signal
import stat
import subprocess
import sys

from lib.cases import case
from lib.world import (ROOT, VIP, Load, backends, execute, fetch, open_lab, service,
                       start, url, wait_for, wait_reachable)

DEMO = os.path.join(ROOT, "tools", "demo")


def autoscale(lab, provisioner=None, **more):
    return {"provisioner": provisioner or lab.provisioner, "options": lab.option_list(), "signal": "new_flows",
            "target": 100, "min": 1, "max": 4, "hold_ms": 1000, "hold_max_ms": 1000,
            "trend": False, "drain_ms": 2000,
            "call_timeout_ms": 60000, **more}


def states(lab):
    return sorted(one["state"] for one in lab.service("web")["backends"])


def wait_pool(lab, size, timeout_s=60):
    """Wait until so many backends are active and there are no others."""
    wait_for(f"a pool of {size}", lambda: states(lab) == ["active"] * size, timeout_s)


def created(lab):
    """Namespaces of the backends that the agent's provisioner made."""
    return sorted(name[len(lab.prefix):] for name in os.listdir("/run/netns")
                  if name.startswith(f"{lab.prefix}web-lab-agent-"))


def script(lab, name, text):
    """A provisioner of our own; it says that it can all, and `list` that there is nothing."""
    path = lab.path(name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("""#!/bin/sh
[ "$1" = capabilities ] && echo '{"verbs": ["create", "delete", "list"]}' && exit 0
[ "$1" = list ] && echo '{"backends": []}' && exit 0
""" + text)
    os.chmod(path, stat.S_IRWXU)
    return path


def remains(pid):
    """What a process with this id named its own in its labs: namespaces, pins, folders."""
    return [name for folder in ("/run/netns", "/sys/fs/bpf", "/tmp")
            for name in (os.listdir(folder) if os.path.isdir(folder) else [])
            if name.startswith(f"sl{pid}n")]


def demo(context, *arguments):
    # Started in the background, a shell has its children ignore Ctrl-C: undo that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen([sys.executable, DEMO, *arguments], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, "SLUICE_BUILD": str(context.build)})


@case("e2e/the demo's loop: the pool follows the load, no request fails, nothing is left",
      timeout=240)
def demo_loop(context):
    process = demo(context, *([] if context.soak else ["--short"]))
    context.log(process.communicate()[0])
    assert process.returncode == 0, process.returncode
    assert not remains(process.pid), remains(process.pid)


@case("e2e/the demo interrupted at any moment leaves nothing behind", timeout=240)
def demo_interrupted(context):
    for moment in "building the lab", "starting sluiced", "the first backend", "seven times":
        process = demo(context, "--short")
        text = ""
        while moment not in text:
            character = process.stdout.read(1)
            assert character, text
            text += character
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=60)[0]
        assert process.returncode == 130, (moment, process.returncode, text + rest)
        assert not remains(process.pid), (moment, remains(process.pid))


@case("e2e/scaling l2 v6 by packets: up, limited by scale set, down, no request fails")
def scale_limits(context):
    with open_lab(context) as lab:
        lab.start_agent(lab.write_config([service(lab, family=6, autoscale=autoscale(
            lab, signal="packets", target=300) | {"options": lab.option_list(family=6)})]))
        wait_pool(lab, 1)
        wait_reachable(lab)
        load = Load(lab.client, VIP[6])
        load.rate(300)  # of five packets each or so: more than four backends are to take
        load.wait_answers(300)
        wait_pool(lab, 4)
        lab.sluice("scale", "set", "web", "--max", "2")
        wait_pool(lab, 2)
        assert lab.sluice_json("scale", "show", "web")["max"] == 2
        load.rate(10)
        wait_pool(lab, 1)
        load.wait_answers(20)
        totals = load.finish()
        assert totals["failed"] == 0 and totals["started"] == totals["answered"], totals
        assert len(created(lab)) == 1, created(lab)


@case("e2e/scaling paused does nothing, resumed goes on")
def scale_paused(context):
    with open_lab(context) as lab:
        lab.start_agent(lab.write_config([service(lab, autoscale=autoscale(lab))]))
        wait_pool(lab, 1)
        lab.sluice("scale", "pause", "web")
        lab.sluice("scale", "set", "web", "--min", "3")
        wait_for("it says that it is paused", lambda: lab.api(
            "GET", "/v1/scale/web")["why"] == "paused")
        assert states(lab) == ["active"]
        lab.sluice("scale", "resume", "web")
        wait_pool(lab, 3)


@case("autoscale/standby: kept beside the pool, woken before anything is created")
def standby(context):
    with open_lab(context) as lab:
        lab.start_agent(lab.write_config([service(lab, autoscale=autoscale(lab, standby=1))]))
        wait_for("one active, one drained beside it",
                 lambda: states(lab) == ["active", "drained"], 60)
        spare = next(one["name"] for one in lab.service("web")["backends"]
                     if one["state"] == "drained")
        lab.sluice("scale", "set", "web", "--min", "2")
        wait_for("the standby is at work", lambda: next(
            one["state"] for one in lab.service("web")["backends"]
            if one["name"] == spare) == "active", 30)
        wait_for("the standby is filled up again",
                 lambda: states(lab) == ["active", "active", "drained"], 60)


@case("autoscale/dry run: it decides and says so, and does nothing")
def dry_run(context):
    with open_lab(context) as lab:
        lab.start_agent(lab.write_config([service(lab, autoscale=autoscale(
            lab, min=2, dry_run=True))]))
        wait_for("it says what it would do", lambda: ": create 2 (dry run)" in lab.api(
            "GET", "/v1/scale/web")["text"])
        assert states(lab) == [], states(lab)
        assert not created(lab)


@case("autoscale/none: a pool of min 0 goes down to none, and up again at the first packet")
def down_to_none(context):
    with open_lab(context) as lab:
        lab.start_agent(lab.write_config([service(lab, autoscale=autoscale(lab, min=0))]))
        wait_for("nothing is needed", lambda: lab.api("GET", "/v1/scale/web")["why"] == "steady")
        assert states(lab) == [], states(lab)
        load = Load(lab.client, VIP[4])
        load.rate(5)
        wait_pool(lab, 1)
        load.wait_answers(5)
        load.finish()


@case("e2e/the agent killed while backends are created: none is lost, none is left over")
def killed_while_creating(context):
    with open_lab(context) as lab:
        config = lab.write_config([service(lab, autoscale=autoscale(
            lab, min=4, creating_max=4))])
        for kill in range(3):
            lab.start_agent(config)
            wait_for("something is being created", lambda: len(created(lab)) > kill, pause_s=0.01)
            lab.agent.stop(signal.SIGKILL)
        lab.start_agent(config)
        wait_pool(lab, 4)
        wait_for("four namespaces", lambda: len(created(lab)) == 4)
        listed = lab.provision("list", owner="lab-agent", spec=lab.options())["backends"]
        assert sorted(one["name"] for one in listed) == created(lab) == sorted(
            one["name"] for one in lab.service("web")["backends"]), listed
        lab.sluice("scale", "set", "web", "--min", "1")
        wait_pool(lab, 1)
        wait_for("one namespace", lambda: len(created(lab)) == 1)


@case("e2e/a provisioner that is still at it is asked again until its backend is there")
def going_on(context):
    with open_lab(context) as lab:
        path = script(lab, "slow", f"""
if [ "$1" = create ] && [ ! -e {lab.path('asked')} ]; then touch {lab.path('asked')}; exit 15; fi
exec {lab.provisioner} "$1"
""")
        lab.start_agent(lab.write_config([service(lab, autoscale=autoscale(lab, path))]))
        wait_pool(lab, 1)
        assert os.path.exists(lab.path("asked"))
        wait_reachable(lab)
        assert fetch(lab.client, url()).stdout.startswith("web-lab-agent-")


def misbehaves(context, text, *words, path=None, **more):
    """With such a provisioner the agent says so, and what was running goes on untouched."""
    with open_lab(context) as lab:
        path = path or script(lab, "provisioner", text)
        start(lab, [service(lab, backends=backends(lab, 1), autoscale=autoscale(
            lab, path, min=2, **more))])
        digest = lab.service("web")["digest"]

        def told():
            shown = lab.sluice("scale", "show", "web").stdout + json.dumps(
                lab.api("GET", "/v1/scale/web")) + lab.agent.log_tail()
            return all(word in shown for word in (path, *words))
        wait_for(f"it is told: {words}", told)
        load = Load(lab.client, VIP[4])
        load.rate(50)
        load.wait_answers(100)
        totals = load.finish()
        assert totals["failed"] == 0 and set(totals["servers"]) == {"web-1"}, totals
        web = lab.service("web")
        assert web["digest"] == digest, web
        assert [one["name"] for one in web["backends"] if one["state"] == "active"] == ["web-1"]
        assert lab.agent.stop() == 0
        wait_for("no child is left", lambda: not execute(
            "ip", "netns", "pids", lab.lb.namespace).stdout.strip())


@case("e2e/bad provisioner: missing")
def provisioner_missing(context):
    misbehaves(context, "", "no such file", path="/nowhere/provisioner")


@case("e2e/bad provisioner: fails, with its reason")
def provisioner_fails(context):
    misbehaves(context, "echo no machine today >&2; exit 1\n", "status 1", "no machine today")


@case("e2e/bad provisioner: hangs, and is killed with its children")
def provisioner_hangs(context):
    misbehaves(context, "sleep 1000 & sleep 1000\n", "gave no answer", call_timeout_ms=300)


@case("e2e/bad provisioner: prints rubbish")
def provisioner_rubbish(context):
    misbehaves(context, "echo hello; exit 0\n", "not a JSON object")


@case("e2e/bad provisioner: prints without end")
def provisioner_endless(context):
    misbehaves(context, "exec yes\n", "more than 64 KiB")


@case("e2e/bad provisioner: answers with another name, or no address")
def provisioner_wrong_answer(context):
    misbehaves(context, "echo '{\"name\": \"other\", \"address\": \"198.18.1.7\"}'\n", "name")
    misbehaves(context, "cat >/dev/null; echo '{\"address\": 7}'\n", "create")


@case("e2e/bad provisioner: out of quota, bad options, dies of a signal")
def provisioner_statuses(context):
    misbehaves(context, "echo all gone >&2; exit 11\n", "quota", "all gone")
    misbehaves(context, "echo which bridge >&2; exit 12\n", "options", "which bridge")
    misbehaves(context, "kill -9 $$\n", "signal 9")


@case("e2e/a provisioner whose list fails: nothing is deleted")
def provisioner_list_fails(context):
    with open_lab(context) as lab:
        path = lab.path("nolist")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n[ \"$1\" = list ] && exit 1\nexec {lab.provisioner} \"$1\"\n")
        os.chmod(path, stat.S_IRWXU)
        config = lab.write_config([service(lab, autoscale=autoscale(lab, path, min=2))])
        lab.start_agent(config)
        wait_pool(lab, 2)
        before = created(lab)
        lab.agent.stop()
        lab.start_agent(config)
        wait_for("list was tried and failed", lambda: "list" in lab.agent.log_tail())
        wait_pool(lab, 2)
        assert created(lab) == before and len(before) == 2, (before, created(lab))
