# SPDX-License-Identifier: GPL-2.0-only
"""The agent killed while its provisioner, which is late and lies, creates and deletes.

tests/unit/provision.c tries every order of the protocol's steps; this is the agent itself.
"""

import http.client
import os
import random
import time

from lib.cases import case
from lib.fake_provisioner import Fake
from lib.scaled import OWNER, created, scaled, spare_addresses
from lib.tracer import Tracer
from lib.world import open_lab, service, wait_for

GONE = (OSError, http.client.HTTPException)
# What others own, and what this owner may have but never minted.
FOREIGN = {"web-lab-agent-5x": OWNER, "database": OWNER, "web-other-5": "other",
           "web-lab-agent-9": "other"}


def made(fake):
    """What the provisioner has of what was minted."""
    return [name for name in fake.names(OWNER) if name not in FOREIGN]


def is_settled(lab, fake, size):
    """So many serve, and the provisioner has just these, and nothing else is to come."""
    have = created(lab)
    return (list(have.values()) == ["active"] * size and not fake.pending() and
            made(fake) == sorted(have))


def nothing_foreign_deleted(fake):
    deleted = {(owner, name) for verb, owner, name, _ in fake.calls() if verb == "delete"}
    assert not {name for _, name in deleted} & set(FOREIGN), deleted
    assert {owner for owner, _ in deleted} <= {OWNER}, deleted
    assert {name for name, owner in FOREIGN.items() if owner == OWNER} <= set(fake.names(OWNER))


class Killing:
    """Has one backend replaced by another, with a kill on the way, and judges what is there."""

    def __init__(self, lab, fake):
        self.lab, self.fake = lab, fake
        self.kills = 0

    def settled(self, where):
        try:
            wait_for("all is as it should be", lambda: is_settled(self.lab, self.fake, 1), 40)
        except Exception:
            raise AssertionError(f"killed at {where}: the agent has {created(self.lab)}, the "
                                 f"provisioner {made(self.fake)}, to come: "
                                 f"{self.fake.pending()}") from None
        nothing_foreign_deleted(self.fake)

    def replaced(self, old):
        """Whether another one is in its place, as far as the agent answers."""
        if self.lab.agent.process.poll() is not None:
            return True
        try:
            have = created(self.lab)
        except GONE:
            return False
        return old not in have and list(have.values()) == ["active"]

    def run(self, call, number):
        """Killed at the so-manyeth such call. Whether it came to that."""
        lab = self.lab
        old, = created(lab)
        tracer = Tracer(lab, "-e", f"trace={call}", "-e",
                        f"inject={call}:signal=KILL:when={number}")
        try:
            lab.api("DELETE", f"/v1/services/web/backends/{old}")
        except GONE:
            pass
        wait_for("it is replaced, or the agent is killed", lambda: self.replaced(old), 30)
        tracer.stop()
        if lab.agent.process.poll() is None:
            self.settled(f"no {call} {number}")
            return False
        self.kills += 1
        lab.agent.stop()
        lab.start_agent(lab.agent.config)
        self.settled(f"{call} {number}")
        return True

    def calls(self):
        """The system calls of one such replacement."""
        old, = created(self.lab)
        tracer = Tracer(self.lab)
        self.lab.api("DELETE", f"/v1/services/web/backends/{old}")
        wait_for("it is replaced", lambda: self.replaced(old), 30)
        tracer.stop()
        return tracer.calls()


@case("autoscale/crash: killed at system calls of a creation and a deletion, it leaves no orphan, makes "
      "nothing twice, and deletes nothing foreign", soak_timeout=7200)
def killed(context):
    with open_lab(context) as lab:
        fake = Fake(lab, spare_addresses(lab, 4), delay_ms=400, late_ms=300, lag_ms=300,
                    work_ms=20)
        for name, owner in FOREIGN.items():
            fake.add(name, owner)
        fake.add("web-lab-agent-77", OWNER)  # of an agent whose journal was lost
        lab.start_agent(lab.write_config([service(lab, autoscale=scaled(fake))]))
        killing = Killing(lab, fake)
        killing.settled("the start")
        if context.soak:
            calls = killing.calls()
            context.log(f"system calls: {dict(calls)}")
            places = [(call, number) for call in calls
                      for number in range(1, min(calls[call], 40) + 1)]
        else:
            seed = int(os.environ.get("SLUICE_TEST_SEED", "0")) or random.randrange(1, 1 << 32)
            context.log(f"seed {seed}")
            places = [(call, number) for call in ("pwrite64", "fdatasync", "sendmsg")
                      for number in range(1, 4)]
            random.Random(seed).shuffle(places)
        until = time.monotonic() + (float("inf") if context.soak else 2)
        for call, number in places:
            killing.run(call, number)
            if time.monotonic() > until and killing.kills >= 2:
                break
        context.log(f"{killing.kills} kills, {len(fake.calls())} calls")
        assert killing.kills >= 2
