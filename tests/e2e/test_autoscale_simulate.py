# SPDX-License-Identifier: GPL-2.0-only
"""What the simulator shows of the autoscaler beside others, and that it is the same each time."""

import json
import subprocess
import xml.etree.ElementTree

from lib.cases import ROOT, case

DAYS = ROOT.parent / "shared" / "traces" / "worldcup98-june24-26.csv"
COST_ROOM = 1.05


def simulate(context, *words):
    done = subprocess.run([context.build / "sluice", "scale", "simulate", "--json", *words],
                          check=True, capture_output=True, text=True, timeout=300)
    return json.loads(done.stdout)


def beats_the_others(context, trace):
    """Fewer seconds of violation than each, at their cost; at most half of their broken flows."""
    runs = simulate(context, "--trace", trace, "--policy", "all")
    for run in runs:
        print(run)
    ours, others = runs[0], [run for run in runs[1:] if run["policy"] != "bound"]
    assert ours["policy"] == "sluice"
    assert {(run["policy"], run["slow_start"]) for run in others} == {
        (policy, slow) for policy in ("hpa", "kpa", "aws") for slow in (False, True)}
    for run in others:
        assert ours["broken_percent"] <= run["broken_percent"] / 2, run
        assert ours["violation_s"] < run["violation_s"], run
    # At the config's target or below it, each costs what ours costs but for the room.
    dear = {(run["policy"], run["slow_start"]) for run in others
            if ours["backend_h"] <= COST_ROOM * run["backend_h"]}
    assert dear == {(run["policy"], run["slow_start"]) for run in others}, dear


def register(trace, soak):
    @case(f"autoscale/{trace}: fewer violations than hpa, kpa and aws, at their cost", root=False,
          soak=soak)
    def beats(context):
        beats_the_others(context, trace)


for name in ("step", "ramp", "square120", "square600"):
    register(name, soak=False)
register("diurnal", soak=True)


@case("autoscale/World Cup: fewer violations than hpa, kpa and aws, at their cost", root=False,
      soak=True)
def world_cup(context):
    if not DAYS.exists():
        context.skip(f"{DAYS} is not there")
    beats_the_others(context, str(DAYS))


@case("autoscale/bound: a step costs little more than what boot and warm-up take", root=False)
def near_the_bound(context):
    ours = simulate(context, "--trace", "step")[0]
    bound = simulate(context, "--trace", "step", "--policy", "bound")[0]
    print(ours, bound)
    assert bound["violation_s"] >= 60
    assert ours["violation_s"] <= bound["violation_s"] + 3
    assert ours["react_max_s"] <= 2


@case("autoscale/simulate: one seed gives one result, another one another", root=False)
def deterministic(context):
    once = simulate(context, "--trace", "square600", "--seed", "7")
    assert once == simulate(context, "--trace", "square600", "--seed", "7")
    assert once != simulate(context, "--trace", "square600", "--seed", "8")


@case("autoscale/simulate: a CSV of load is read, by seconds and by date, and drawn", root=False)
def csv_and_plot(context):
    rows = [60 * 100] * 10 + [60 * 900] * 20
    dated, plain, plot = (context.tmp / name for name in ("dated.csv", "plain.csv", "out.svg"))
    dated.write_text("time,requests\n" + "".join(
        f"2026-02-28 23:{30 + i if i < 30 else 0:02}:00,{row}\n" for i, row in enumerate(rows)))
    plain.write_text("time,requests\n" + "".join(
        f"{60 * i},{row}\n" for i, row in enumerate(rows)))
    runs = simulate(context, "--trace", plain, "--plot", plot)
    assert runs == simulate(context, "--trace", dated)
    assert runs[0]["most"] >= 12, runs
    picture = xml.etree.ElementTree.parse(plot).getroot()
    assert len(picture.findall("{http://www.w3.org/2000/svg}polyline")) == 4


@case("autoscale/simulate: a config gives target, limits and hold; what is wrong is said",
      root=False)
def by_config(context):
    config = context.tmp / "sluice.yaml"
    config.write_text("services:\n  - {name: web, vip: 192.0.2.80, protocol: tcp, port: 80,\n"
                      "     autoscale: {provisioner: /bin/true, signal: new_flows, target: 100,\n"
                      "                 max: 9}}\n")
    run = simulate(context, "--trace", "step", "--config", config)[0]
    assert run["target"] == 100 and run["most"] <= 9, run
    sluice = [context.build / "sluice", "scale", "simulate"]
    bad = context.tmp / "bad.csv"
    bad.write_text("time,requests\n0,1\n0,2\n")
    for words, says in (
            (["--trace", "none.csv"], "none.csv"),
            (["--trace", bad], "bad.csv:3: its time is not behind the one before"),
            (["--trace", config], "is not \"time,requests\"; begin with that line"),
            (["--trace", "step", "--config", config, "--service", "db"], "db: the config has no"),
            (["--trace", "step", "--policy", "all", "--plot", "x.svg"], "--plot: shows one"),
            (["--trace", "step", "--policy", "best"], "best")):
        done = subprocess.run([*sluice, *words], capture_output=True, text=True)
        assert done.returncode != 0 and says in done.stderr, (words, done)
