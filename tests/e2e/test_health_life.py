# SPDX-License-Identifier: GPL-2.0-only
"""A backend's life by its health: it dies, comes back, warms up, speaks of itself, is taken out."""

import os
import re
import signal
import time

from lib.cases import case
from lib.probed import FAST, health_of, odd_server, probed, wait_verdict
from lib.world import (VIP, Load, backends, fetch, kill_inside, open_lab, service, start, url,
                       wait_for)

INTERVAL_MS, FALL = 200, 2
PROMISE_S = FALL * INTERVAL_MS / 1000 + 0.1


def weights(lab, name="web"):
    return {one["name"]: one["weight_effective"] for one in lab.service(name)["backends"]}


def new_flows(lab, name):
    return {one["name"]: one["new_flows"]
            for one in lab.api("GET", "/v1/services/web/backends")["backends"]}[name]


def dies(context, kill):
    """From the kill on, when was the last new flow given to the dead one, by the data plane?"""
    with open_lab(context) as lab:
        nodes = backends(lab, 3)
        # start() waits for next hops alone, so wait for the verdicts too.
        start(lab, [service(lab, backends=nodes, health={
            "interval_ms": INTERVAL_MS, "fall": FALL, "rise": 1})])
        for node in nodes:
            wait_verdict(lab, "web", "up", node.name)
        load = Load(lab.client, VIP[4])
        load.rate(400)
        load.wait_answers(200)
        assert new_flows(lab, "web-1") > 10
        seen, slowest = new_flows(lab, "web-1"), 0.0
        begun = last = before = time.monotonic()
        kill(nodes[0])
        killed = time.monotonic()
        while before < killed + 1.5:
            count, now = new_flows(lab, "web-1"), time.monotonic()
            slowest = max(slowest, now - before)
            if count > seen:
                seen, last = count, now
            before = now
        context.log(f"the last new flow {last - begun:.3f} s after the kill began, "
                    f"{last - killed:.3f} s after its end; the slowest look took {slowest:.3f} s")
        # A look may see a flow so late, and the agent that answered it was busy so long.
        assert last - killed <= PROMISE_S + 2 * slowest, (last - killed, slowest)
        assert weights(lab) == {"web-1": 0, "web-2": 100, "web-3": 100}
        assert not health_of(lab, "web", "web-1")["health"]["last"]["passed"]
        before = new_flows(lab, "web-1")
        for _ in range(20):
            assert fetch(lab.client, url()).stdout in ("web-2\n", "web-3\n")
        assert new_flows(lab, "web-1") == before


@case("health/a backend whose processes are killed loses its new flows in time")
def process_dies(context):
    dies(context, lambda node: kill_inside(node.namespace))


@case("health/a backend whose link goes down loses its new flows in time")
def link_dies(context):
    dies(context, lambda node: node.ip("link set eth0 down"))


@case("health/one that flaps is held down longer each time; then it warms up to its weight")
def flaps(context):
    with open_lab(context) as lab:
        node, = backends(lab, 1)
        alive = lab.path("alive")
        odd_server(node, "flap", 8080, alive)
        lab.start_agent(lab.write_config([probed("web", 80, node, {
            "type": "http", "port": 8080, "interval_ms": 100, "fall": 1, "hold_ms": 400,
            "hold_max_ms": 60000}, warm_up={"duration_ms": 1500, "initial_weight": 20})]))
        holds = []
        for _ in range(4):
            with open(alive, "w", encoding="utf-8"):
                pass
            wait_verdict(lab, "web", "up")
            os.unlink(alive)
            holds.append(wait_verdict(lab, "web", "down")["hold_s"])
        assert holds[0] == 0 and 0 < holds[1] < holds[2] < holds[3], holds
        with open(alive, "w", encoding="utf-8"):
            pass
        wait_verdict(lab, "web", "up")
        seen = [weights(lab)["web-1"]]
        wait_for("the whole weight", lambda: seen.append(weights(lab)["web-1"]) or seen[-1] == 100)
        assert seen == sorted(seen) and seen[0] < 100 and len(set(seen)) > 2, seen
        assert lab.service("web")["backends"][0]["state"] == "active"


@case("health/no flow before the first success, and the last decision outlives the agent")
def decision_stands(context):
    with open_lab(context) as lab:
        node, = backends(lab, 1)
        alive = lab.path("alive")
        odd_server(node, "flap", 8080, alive)
        web = probed("web", 80, node, {"type": "http", "port": 8080})
        lab.start_agent(lab.write_config([web]))
        wait_for("a probe has failed", lambda: health_of(lab, "web", "web-1")["health"]["failures"])
        assert health_of(lab, "web", "web-1")["health"]["verdict"] == "waiting"
        assert fetch(lab.client, url(), "--connect-timeout", "1", check=False).returncode != 0
        with open(alive, "w", encoding="utf-8"):
            pass
        wait_verdict(lab, "web", "up")
        assert fetch(lab.client, url()).stdout == "web-1\n"
        # Nobody probes any more: what was decided goes on, whatever happens to the backend.
        lab.agent.stop(signal.SIGKILL)
        os.unlink(alive)
        assert fetch(lab.client, url()).stdout == "web-1\n"
        lab.start_agent(lab.write_config([web]))
        wait_verdict(lab, "web", "down")
        lab.agent.stop(signal.SIGKILL)
        lab.start_agent(lab.write_config([web]))
        health = health_of(lab, "web", "web-1")["health"]
        assert health["verdict"] == "down" and health["dead"], health


@case("health/an agent that was stopped for a while flaps no backend")
def slow_agent(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 3)
        start(lab, [service(lab, backends=nodes, health={**FAST, "interval_ms": 100, "fall": 1})])
        for node in nodes:
            wait_verdict(lab, "web", "up", node.name)
        generation = lab.service("web")["generation"]
        for _ in range(5):
            lab.agent.process.send_signal(signal.SIGSTOP)
            time.sleep(0.4)  # the delay itself is what is tested
            lab.agent.process.send_signal(signal.SIGCONT)
            done = sum(one["health"]["passes"] for one in health_of(lab, "web").values())
            wait_for("probes go on", lambda: sum(
                one["health"]["passes"] for one in health_of(lab, "web").values()) > done + 6)
        assert lab.service("web")["generation"] == generation
        assert all(one["health"]["verdict"] == "up" for one in health_of(lab, "web").values())


@case("health/maintenance wins over health, and ends when a person says so")
def maintenance(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 2)
        start(lab, [service(lab, backends=nodes, health=FAST)])
        for node in nodes:
            wait_verdict(lab, "web", "up", node.name)
        assert "in maintenance" in lab.sluice("backend", "maint", "web", "web-1").stderr
        assert weights(lab) == {"web-1": 0, "web-2": 100}
        shown = lab.sluice("backend", "show", "web", "web-1").stdout
        assert "no packets; it is in maintenance" in shown, shown
        assert re.search(r"maint +maint\n", shown), shown
        for _ in range(10):
            assert fetch(lab.client, url()).stdout == "web-2\n"
        assert health_of(lab, "web", "web-1")["health"]["verdict"] == "up"
        lab.sluice("backend", "ready", "web", "web-1")
        assert weights(lab) == {"web-1": 100, "web-2": 100}


def say(path, text):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)


@case("health/agent-check: a line or a JSON object sets weight and state; silence is no failure")
def agent_check(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 2)
        line, text = lab.path("line"), lab.path("json")
        say(line, "up 50% cpu:30 memory:60\n")
        say(text, '{"weight": 25, "cpu": 12.5, "custom": 3}')
        odd_server(nodes[0], "line", 9999, line)
        odd_server(nodes[1], "json", 9998, text)
        ask = {"interval_ms": 200, "timeout_ms": 150}
        start(lab, [
            service(lab, backends=nodes[:1], agent_check={"port": 9999, **ask}),
            service(lab, "json", port=81, backends=nodes[1:],
                    agent_check={"url": "http://%s:9998/", **ask})])
        wait_for("the line's weight", lambda: weights(lab)["web-1"] == 50)
        wait_for("the object's weight", lambda: weights(lab, "json")["web-2"] == 25)
        report = health_of(lab, "web", "web-1")["health"]["report"]
        assert report["cpu"] == 30 and report["memory"] == 60 and report["custom"] is None, report
        report = health_of(lab, "json", "web-2")["health"]["report"]
        assert report["cpu"] == 12.5 and report["custom"] == 3, report
        for words, state, effect in (("drain", "drain", "existing flows only"),
                                     ("maint", "maint", "no packets"),
                                     ("down#disk full", "down", "no packets"),
                                     ("up", "ready", "new and existing flows")):
            say(line, words + "\n")
            wait_for(f"it says {words}", lambda: health_of(
                lab, "web", "web-1")["health"]["report"]["state"] == state)
            wait_for(f"{words}: {effect}", lambda: lab.service("web")["backends"][0]["effect"] ==
                     effect)
        assert "says down: disk full" in lab.agent.log_tail()
        # What is no report changes nothing at once, and is said.
        say(line, "75%\n")
        wait_for("75%", lambda: weights(lab)["web-1"] == 75)
        say(line, "gibberish\n")
        wait_for("it is told", lambda: health_of(
            lab, "web", "web-1")["health"]["report"]["problem"])
        wait_for("after three intervals what it said counts no more",
                 lambda: weights(lab)["web-1"] == 100)
        report = health_of(lab, "web", "web-1")["health"]["report"]
        assert not report["fresh"] and "says nothing that is known" in report["problem"], report
        assert "(stale: " in lab.sluice("health", "web").stdout
        assert fetch(lab.client, url()).stdout == "web-1\n"
