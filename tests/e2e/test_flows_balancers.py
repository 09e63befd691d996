# SPDX-License-Identifier: GPL-2.0-only
"""Two load balancers with the same config: connections survive the move from one to the other."""

from lib.cases import case
from lib.keeper import PORT, Pool, add_nodes, second_balancer, service, write_config
from lib.world import VIP, backend, no_drops, open_lab, wait_reachable


def services_of(nodes, weights=None):
    """Full and minimal tracking, with these nodes at these weights (by default 100)."""
    pool = [backend(node, weight=(weights or {}).get(node.name, 100)) for node in nodes]
    return (service("full", PORT, tracking="full", backends=pool),
            service("minimal", PORT + 1, tracking="minimal", backends=pool))


def configure(balancers, services):
    """Give both the same config; they have the same tables then. The tables' digests."""
    for lab in balancers:
        path = write_config(lab, services)
        if lab.agent:
            lab.sluice("apply", "-f", path)
        else:
            lab.start_agent(path)
        for one in services:
            wait_reachable(lab, one["name"])
    digests = [{one["name"]: lab.service(one["name"])["digest"] for one in services}
               for lab in balancers]
    assert digests[0] == digests[1], digests
    return digests[0]


def go_by(lab, balancer):
    """The client's packets go by this one from now on."""
    balancer.route(lab.client, VIP[4])


def packets(balancer):
    return sum(balancer.service(name)["packets"] for name in ("full", "minimal"))


def open_mix(pools, count):
    for pool in pools:
        pool.holder.open(count // 2)
        pool.holder.open(count // 2, 200)
        pool.unbroken(wake=False)


def flip(lab, balancer, pools):
    """All connections, the idle ones too, go on by way of this balancer."""
    go_by(lab, balancer)
    before = packets(balancer)
    for pool in pools:
        pool.holder.wait_answers(pool.holder.opened)
        pool.unbroken()
    assert packets(balancer) > before + sum(pool.holder.opened for pool in pools)


@case("flows/two load balancers: connections survive moves between them and one change of the pool",
      waits=True)
def two_balancers(context):
    with open_lab(context) as lab:
        second = second_balancer(lab)
        balancers = lab, second
        nodes = add_nodes(lab, 5, ports=(PORT, PORT + 1))
        services = services_of(nodes[:4])
        digests = configure(balancers, services)
        pools = [Pool(lab, nodes, one) for one in services]
        count = 1000 if context.soak else 160

        go_by(lab, lab)
        open_mix(pools, count)
        flip(lab, second, pools)
        open_mix(pools, count)
        for number in range(50 if context.soak else 4):
            flip(lab, balancers[number % 2], pools)

        # Connections that only the first one knows; then the pool changes on both, then they move.
        go_by(lab, lab)
        open_mix(pools, count)
        changed = configure(balancers, services_of(nodes, {"web-1": 20, "web-2": 0}))
        assert all(changed[name] != digests[name] for name in digests), (digests, changed)
        assert all(one.service(name)["unsettled"] > 0
                   for one in balancers for name in ("full", "minimal"))
        for number in range(1, 50 if context.soak else 6):
            flip(lab, balancers[number % 2], pools)
        for one in balancers:
            no_drops(one)


@case("flows/two load balancers: tables are equal whatever the order of the changes before")
def equal_tables(context):
    with open_lab(context) as lab:
        second = second_balancer(lab)
        nodes = add_nodes(lab, 4)
        first = Pool(lab, nodes, service())
        other = Pool(second, nodes, service())
        for pool, order in (first, (0, 1, 2, 3)), (other, (3, 1, 0, 2)):
            pool.lab.start_agent(write_config(pool.lab, [service()]))
            for number in order:
                pool.add(nodes[number].name, 100 if number != 1 else 30)
        assert first.service()["digest"] == other.service()["digest"]
        first.weight("web-1", 7)
        first.drain("web-3")
        assert first.service()["digest"] != other.service()["digest"]
        other.remove("web-3")
        other.weight("web-1", 7)
        assert first.service()["digest"] == other.service()["digest"]
