# SPDX-License-Identifier: GPL-2.0-only
"""Kills of the agent, a provisioner that fails in every way, and load that changes, all at once."""

import os
import random
import signal
import time

from lib.cases import case
from lib.fake_provisioner import Fake
from lib.scaled import OWNER, created, scaled
from lib.world import VIP, Load, all_answered, open_lab, service, wait_for, wait_reachable

BAD = {"delay_ms": 600, "late_ms": 500, "lag_ms": 500, "work_ms": 30, "fail": 0.08, "lost": 0.08,
       "hang": 0.05, "retry": 0.08, "going_on": 0.08}


def nodes_of(lab, count):
    """Servers that serve while the provisioner has them, and not before or after."""
    nodes = [lab.add_backend(f"node-{number}", VIP[4]) for number in range(count)]
    for node in nodes:
        node.ip(f"addr del {VIP[4]}/32 dev lo")
    return {node.target: {"namespace": node.namespace, "vip": f"{VIP[4]}/32"} for node in nodes}


def clean(lab, fake):
    """One serves, and there is nothing else."""
    have = created(lab)
    return (list(have.values()) == ["active"] and fake.names(OWNER) == list(have) and
            not fake.pending())


@case("autoscale/chaos: kills, a provisioner that fails in every way, changing load: no request fails, "
      "nothing is left", soak=True)
def chaos(context):
    seed = int(os.environ.get("SLUICE_TEST_SEED", "0")) or random.randrange(1, 1 << 32)
    context.log(f"seed {seed}")
    chance = random.Random(seed)
    with open_lab(context) as lab:
        fake = Fake(lab, nodes_of(lab, 4), delay_ms=600, seed=seed)
        lab.start_agent(lab.write_config([service(lab, autoscale=scaled(
            fake, max=4, call_timeout_ms=1500, hold_ms=1500, drain_ms=3000))]))
        wait_for("the first backend", lambda: list(created(lab).values()) == ["active"])
        wait_reachable(lab)
        fake.be(**BAD)
        load, kills = Load(lab.client, VIP[4]), 0
        until = time.monotonic() + (300 if context.soak else 6)
        while time.monotonic() < until:
            rate = chance.choice([20, 150, 350])
            load.rate(rate)
            load.wait_answers(int(rate * chance.uniform(0.5, 3)))
            lab.agent.stop(signal.SIGKILL)
            kills += 1
            if chance.random() < 0.2:
                load.wait_answers(20)  # nobody needs an agent for that
            lab.start_agent(lab.agent.config)
        context.log(f"{kills} kills, calls: {len(fake.calls())}, of which went wrong: "
                    f"{len([one for one in fake.calls() if one[3]])}")
        load.rate(20)
        fake.be(fail=0.0, lost=0.0, hang=0.0, retry=0.0, going_on=0.0)
        load.wait_answers(20)
        all_answered(load.finish())
        wait_for("one serves, and nothing is left of the others", lambda: clean(lab, fake), 90)
        names = [name for verb, _, name, _ in fake.calls() if verb == "create"]
        assert kills >= 2 and len(set(names)) > 1, (kills, names)
