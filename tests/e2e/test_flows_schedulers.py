# SPDX-License-Identifier: GPL-2.0-only
"""What each scheduler gives to each backend under real traffic, and that its flows stay there."""

import math

from lib.cases import case
from lib.keeper import PORT, add_nodes, service, start
from lib.world import no_drops, open_lab, wait_reachable

WEIGHTS = {"web-1": 50, "web-2": 100, "web-3": 150, "web-4": 200}
SCHEDULERS = ("maglev", "random", "round_robin", "least_flows")
# Of chi-square with 3 degrees of freedom: exceeded by chance once in a million.
CHI_SQUARE_LIMIT = 30.66


def chi_square(counts, weights):
    total, whole = sum(counts.values()), sum(weights.values())
    return sum((counts.get(name, 0) - total * weight / whole) ** 2 / (total * weight / whole)
               for name, weight in weights.items())


def services():
    return [service(name.replace("_", "-"), PORT + number, scheduler=name)
            for number, name in enumerate(SCHEDULERS)]


def open_counted(pool, count):
    """Open so many connections; how many of them each server has got."""
    before = pool.servers()
    pool.holder.open(count)
    pool.unbroken(wake=False)
    return {name: now - before.get(name, 0) for name, now in pool.servers().items()}


def shares(context, pool, count):
    """Shares by weight, and all stays where it is while the pool changes."""
    for name, weight in WEIGHTS.items():
        if weight != 100:
            pool.weight(name, weight)
    counts = open_counted(pool, count)
    found = chi_square(counts, WEIGHTS)
    context.log(f"{pool.name}: {counts}, chi-square {found:.2f}")
    assert found < CHI_SQUARE_LIMIT, (pool.name, counts, found)
    pool.weight("web-4", 20)
    pool.drain("web-2")
    pool.add("web-5")
    assert pool.unbroken()["servers"] == counts, (pool.name, counts)


@case("flows/every scheduler gives new connections by weight, and they stay where they are")
def schedulers(context):
    with open_lab(context) as lab:
        nodes = add_nodes(lab, 5, ports=[PORT + number for number in range(len(SCHEDULERS))])
        for pool in start(lab, nodes, *services(), size=4):
            shares(context, pool, 4000 if context.soak else 1000)
        no_drops(lab)


@case("flows/least_flows gives a new backend more than its weight, until it has as many flows")
def newcomer(context):
    with open_lab(context) as lab:
        nodes = add_nodes(lab, 4)
        pool, = start(lab, nodes, service(scheduler="least_flows"), size=3)
        open_counted(pool, 1500)
        pool.add("web-4")
        wait_reachable(lab)
        count = 600
        counts = open_counted(pool, count)
        context.log(f"{counts}")
        # By weight alone a quarter would come to it; of two random slots, one is its 7 times in 16.
        chance = count / 4 + 5 * math.sqrt(count / 4 * 3 / 4)
        assert counts["web-4"] > chance, (counts, chance)
        pool.open_until("all have as many", lambda servers: servers["web-4"] >= 0.9 * max(
            servers.values()), count=200)
        pool.unbroken()
        no_drops(lab)


def only_server(pool, count):
    """Open so many connections; the server that has got all of them."""
    server, = (name for name, more in open_counted(pool, count).items() if more)
    return server


@case("flows/affinity: a source's connections share a backend, and stay when the next go elsewhere")
def affinity(context):
    with open_lab(context) as lab:
        count = 40
        kinds = [(affinity_, tracking) for affinity_ in ("source", "source_port")
                 for tracking in ("full", "minimal")]
        services_ = [service(f"web-{number}", PORT + number, affinity=affinity_, tracking=tracking)
                     for number, (affinity_, tracking) in enumerate(kinds)]
        nodes = add_nodes(lab, 4, ports=[one["port"] for one in services_])
        for pool in start(lab, nodes, *services_):
            home = only_server(pool, count)
            pool.drain(home)
            other = only_server(pool, count)
            assert other != home, (pool.name, home)
            pool.weight(other, 20)
            assert pool.unbroken()["servers"] == {home: count, other: count}, pool.name
            pool.undrain(home)
            pool.weight(other, 100)
            assert only_server(pool, count) == home, pool.name
            assert pool.unbroken()["servers"] == {home: 2 * count, other: count}, pool.name
        no_drops(lab)
