# SPDX-License-Identifier: GPL-2.0-only
"""Real TCP connections, busy and idle, notice nothing of a pool that changes at random."""

import signal
import threading
import time

from lib.cases import case
from lib.keeper import PORT, UNANSWERED, Churn, add_nodes, service, start
from lib.world import no_drops, open_lab

NODES, FIRST_NODES = 7, 5


def open_mix(pool, count):
    """Some busy at different paces, a third idle until they are woken at the end."""
    idle = count // 3
    pool.holder.open(idle)
    for period_ms in 100, 200, 300, 500:
        pool.holder.open((count - idle) // 4, period_ms)
    pool.unbroken(wake=False)


def check_end(lab, pools):
    for pool in pools:
        pool.holder.wait_answers(1)
        pool.unbroken()
    no_drops(lab)


def changes(context, *services, count=450, seconds=6, family=4, mode="l2"):
    """The pools change under connections for so long (check), or minutes (soak)."""
    with open_lab(context) as lab:
        nodes = add_nodes(lab, NODES, family, mode, [one["port"] for one in services])
        pools = start(lab, nodes, *services, size=FIRST_NODES)
        for pool in pools:
            open_mix(pool, 2000 if context.soak else count)
        Churn(context, *pools).run(300 / len(services) if context.soak else seconds)
        check_end(lab, pools)


@case("flows/full tracking: no connection notices a pool that changes at random",
      waits=True, timeout=300)
def changes_full(context):
    changes(context, service(tracking="full"))


@case("flows/minimal tracking: no connection notices a pool that changes at random",
      waits=True, timeout=300)
def changes_minimal(context):
    changes(context, service(tracking="minimal"))


@case("flows/IPv6 over ipip: no connection notices a pool that changes at random",
      waits=True, timeout=300)
def changes_ipip_v6(context):
    changes(context,
            service("full", PORT, 6, "ipip", tracking="full"),
            service("minimal", PORT + 1, 6, "ipip", tracking="minimal"),
            count=200, family=6, mode="ipip")


@case("flows/every scheduler: no connection notices a pool that changes at random",
      waits=True, timeout=300)
def changes_schedulers(context):
    changes(context, *(service(name.replace("_", "-"), PORT + number, scheduler=name)
                       for number, name in enumerate(("random", "round_robin", "least_flows"))),
            count=150)


class KillingChurn(Churn):
    """The agent is killed at a random moment of some changes, and started again."""

    def __init__(self, context, lab, *pools):
        super().__init__(context, *pools)
        self.lab = lab
        self.kills = self.unanswered = 0

    def act_killed(self, pool, verb, name, backends):
        """As act(), with the agent killed meanwhile: None if it did not answer."""
        timer = threading.Timer(self.random.random() * 0.02, self.lab.agent.process.kill)
        timer.start()
        try:
            return self.act(pool, verb, name, backends)
        except UNANSWERED:
            self.unanswered += 1
            return None
        finally:
            timer.join()

    def step(self):
        pool, verb, name, backends = self.choose()
        before = pool.service()["digest"]
        if verb == "remove" or self.random.random() < 0.4:
            seen = self.act(pool, verb, name, backends)  # waits long for the agent
            assert seen(pool.backends()), f"{verb} {name} was answered and is not seen"
        else:
            seen = self.act_killed(pool, verb, name, backends)
            self.restart()
            now = pool.backends()
            assert seen is None or seen(now), f"{verb} {name} was answered and is lost: {now}"
        self.count(pool, verb, before)

    def restart(self):
        config = self.lab.agent.config
        self.kills += 1
        self.lab.agent.stop(signal.SIGKILL)
        time.sleep(self.random.random() * 0.5)  # traffic goes on without an agent
        if self.random.random() < 0.3:
            self.lab.start_agent(config, wait=False)
            time.sleep(self.random.random() * 0.1)
            self.lab.agent.stop(signal.SIGKILL)  # in the middle of its start
        self.lab.start_agent(config)


@case("flows/no connection notices a pool that changes while the agent is killed again and again",
      waits=True, timeout=300)
def changes_killed(context):
    services = (service("full", PORT, tracking="full"),
                service("minimal", PORT + 1, tracking="minimal"))
    with open_lab(context) as lab:
        nodes = add_nodes(lab, NODES, ports=(PORT, PORT + 1))
        pools = start(lab, nodes, *services, size=FIRST_NODES)
        for pool in pools:
            open_mix(pool, 1000 if context.soak else 220)
        churn = KillingChurn(context, lab, *pools)
        churn.run(300 if context.soak else 10)
        context.log(f"{churn.kills} kills, {churn.unanswered} changes without an answer")
        assert churn.kills >= 3, churn.kills
        check_end(lab, pools)
