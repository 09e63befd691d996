# SPDX-License-Identifier: GPL-2.0-only
"""Pools that follow what their backends report of themselves."""

import os
import stat

from lib.cases import case
from lib.world import ROOT, VIP, Load, open_lab, service, wait_for

BUSY_AGENT = os.path.join(ROOT, "tests", "e2e", "lib", "busy_agent.py")
AGENT_PORT = 9999


def reporting_provisioner(lab, *words):
    """The lab's own, with an agent-check of these words beside each nginx, in the lab's folder."""
    path = lab.path("reporting")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"""#!/usr/bin/python3
import json, subprocess, sys
done = subprocess.run(["{lab.provisioner}", sys.argv[1]], input=sys.stdin.read(),
                      stdout=subprocess.PIPE, text=True)
if sys.argv[1] == "create" and not done.returncode:
    answer = json.loads(done.stdout)
    subprocess.Popen(["nsenter", "--net=/run/netns/{lab.prefix}" + answer["name"],
                      "/usr/bin/python3", *{[str(word) for word in words]!r}],
                     start_new_session=True, cwd="{lab.folder}", stdin=subprocess.DEVNULL,
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
sys.stdout.write(done.stdout)
sys.exit(done.returncode)
""")
    os.chmod(path, stat.S_IRWXU)
    return path


def states(lab):
    return sorted(one["state"] for one in lab.service("web")["backends"])


def scale(lab):
    return lab.api("GET", "/v1/scale/web")


def wait_pool(lab, size):
    try:
        wait_for(f"a pool of {size}", lambda: states(lab) == ["active"] * size, 60)
    except Exception:
        print(states(lab), scale(lab), flush=True)
        raise


@case("autoscale/cpu: the pool follows what agent-checks report, and what is unknown holds it")
def follows_cpu(context):
    with open_lab(context) as lab:
        lab.start_agent(lab.write_config([service(
            lab, agent_check={"port": AGENT_PORT, "interval_ms": 400},
            autoscale={"provisioner": reporting_provisioner(
                lab, BUSY_AGENT, AGENT_PORT, 200, lab.path("silent")),
                       "options": lab.option_list(), "signal": "cpu", "target": 50,
                       "targets": {"live_flows": 100000}, "max": 2, "hold_ms": 1000,
                       "drain_ms": 1000})]))
        wait_pool(lab, 1)
        load = Load(lab.client, VIP[4])
        load.rate(40)  # a fifth of what one can
        wait_for("its cpu is known", lambda: scale(lab)["signals"][1]["reported"] == {
            "known": 1, "asked": 1} and 5 < scale(lab)["estimate"] < 45)
        assert states(lab) == ["active"], states(lab)
        load.rate(150)  # 75% of what one can
        wait_pool(lab, 2)
        shown = scale(lab)
        assert shown["signal"] == "cpu" and [one["signal"] for one in shown["signals"]] == [
            "live_flows", "cpu"], shown
        text = lab.sluice("scale", "show", "web").stdout
        assert "% cpu" in text and "2 active" in text and "next" in text, text
        # Silent agents: the load is gone, but how busy they are is not known.
        with open(lab.path("silent"), "w", encoding="ascii"):
            load.rate(20)
        wait_for("cpu is unknown", lambda: scale(lab)["why"] == "stale" and
                 scale(lab)["signals"][1]["value"] is None)
        load.wait_answers(40)
        shown = scale(lab)
        assert states(lab) == ["active"] * 2 and shown["need"] == 2, shown
        assert "unknown (0 of 2 report)" in lab.sluice("scale", "show", "web").stdout
        os.remove(lab.path("silent"))
        wait_pool(lab, 1)
        totals = load.finish()
        assert not totals["failed"] and totals["answered"] == totals["started"], totals


@case("autoscale/json: a number that backends give by a URL scales the pool, the largest need wins",
      soak=True)
def follows_custom(context):
    with open_lab(context) as lab:
        def say(text):  # by one file for all backends
            with open(lab.path("new"), "w", encoding="ascii") as file:
                file.write(text)
            os.rename(lab.path("new"), lab.path("load"))
        say('{"custom": 5, "memory": 10}')
        lab.start_agent(lab.write_config([service(
            lab, agent_check={"url": f"http://%s:{AGENT_PORT}/load", "interval_ms": 400},
            autoscale={"provisioner": reporting_provisioner(
                lab, "-m", "http.server", AGENT_PORT), "options": lab.option_list(),
                       "signal": "new_flows", "target": 100,
                       "targets": {"custom": 10, "memory": 50}, "max": 3, "hold_ms": 1000,
                       "drain_ms": 1000})]))
        wait_pool(lab, 1)
        wait_for("custom is known", lambda: any(
            one["signal"] == "custom" and one["value"] == 5 for one in scale(lab)["signals"]))
        say('{"custom": 13, "memory": 10}')
        wait_for("custom decides", lambda: scale(lab)["signals"][2]["decides"])
        wait_pool(lab, 3)
        # Of several the largest: memory would do with one, flows with none.
        assert {one["signal"]: one["need"] for one in scale(lab)["signals"]} == {
            "new_flows": 0, "memory": 1, "custom": 3}, scale(lab)
        say('{"custom": 1, "memory": 10}')
        wait_pool(lab, 1)
