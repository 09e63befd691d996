# SPDX-License-Identifier: GPL-2.0-only
"""Single changes of a pool: what they do to the connections that are held, in both tracking modes."""

from lib.cases import case
from lib.keeper import PORT, Holder, add_nodes, service, start, wait_for
from lib.world import no_drops, open_lab


def both(**more):
    """Two services that differ in tracking alone."""
    return (service("full", PORT, tracking="full", **more),
            service("minimal", PORT + 1, tracking="minimal", **more))


def pools_of(lab, count, size=None, timeouts=None, **more):
    nodes = add_nodes(lab, count, ports=(PORT, PORT + 1))
    return start(lab, nodes, *both(**more), size=size, timeouts=timeouts)


def clients(pool, server):
    """The held connections that a server has, as sluice's --client wants them."""
    done = pool.nodes[server].run("ss", "-Htn", "state", "established",
                                  f"sport = :{pool.config['port']}")
    return [line.split()[3] for line in done.stdout.splitlines()]


def slot_of(pool, client):
    """Where the slot of a client's connection points: its current and previous owner."""
    return pool.lab.sluice_json("flows", "--service", pool.name, "--client", client)["client"]


@case("flows/an idle connection sleeps through changes of its slot and wakes on its backend")
def sleeps(context):
    with open_lab(context) as lab:
        for pool in pools_of(lab, 5):
            pool.open_everywhere()
            client = clients(pool, "web-1")[0]
            owner, owners = slot_of(pool, client)["current"], []
            assert owner == "web-1", owner
            while len(pool.backends()) - len(owners) > 1:
                pool.drain(owner)
                owners.append(owner)
                pool.holder.open(40)  # as old as this change; they sleep through the others
                pool.holder.settle()
                slot = slot_of(pool, client)
                assert slot["current"] not in owners and slot["previous"] == "web-1", slot
                owner = slot["current"]
            assert len(owners) == 4, owners
            servers = pool.servers()
            assert pool.unbroken()["servers"] == servers
            for name in owners:  # and back again
                pool.undrain(name)
                pool.holder.open(40)
            pool.holder.settle()
            servers = pool.servers()
            assert pool.unbroken()["servers"] == servers
        no_drops(lab)


@case("flows/a drain taken back breaks none of the connections that were opened meanwhile")
def drain_taken_back(context):
    with open_lab(context) as lab:
        for pool in pools_of(lab, 3):
            for period_ms in 0, 100:
                pool.open_everywhere()
                pool.drain("web-1")
                pool.holder.open(60, period_ms)
                pool.holder.settle()
                pool.undrain("web-1")
                pool.holder.open(60, period_ms)
                pool.unbroken()
        no_drops(lab)


@case("flows/a backend removed with its flows breaks its connections and no others")
def removed(context):
    with open_lab(context) as lab:
        for pool in pools_of(lab, 4):
            pool.open_everywhere(period_ms=0)
            servers = pool.open_everywhere(least=12, period_ms=200)
            gone = servers.pop("web-2")
            pool.remove("web-2")
            pool.holder.wake()
            wait_for("the connections of the removed backend broke",
                     lambda: pool.holder.status()["broken"] == gone, 60)
            pool.holder.open(40)
            status = pool.holder.wake()
            assert status["broken"] == gone and status["stalled"] == 0, status
            assert "web-2" not in status["servers"], status
            assert all(status["servers"][name] >= count for name, count in servers.items()), \
                (servers, status)
            assert status["open"] == sum(servers.values()) + 40, status
        no_drops(lab)


@case("flows/a drain: no new connections, the old ones go on, and it is over when they have left",
      waits=True)
def drains(context):
    with open_lab(context) as lab:
        for pool in pools_of(lab, 3):
            servers = pool.open_everywhere(period_ms=100)
            answer = pool.drain("web-3", 600)
            assert answer["state"] == "draining", answer
            assert 590 < answer["drain"]["deadline_in_s"] <= 600, answer
            pool.holder.open(60, 100)
            pool.holder.settle()
            assert pool.servers()["web-3"] == servers["web-3"], (servers, pool.servers())
            # With minimal tracking a flow is counted from its first packet after the drain on.
            wait_for("the drained backend's flows are counted", lambda: pool.live("web-3") >=
                     servers["web-3"])
            listed = {one["name"]: one for one in lab.sluice_json(
                "backend", "ls", pool.name)["backends"]}["web-3"]
            assert listed["state"] == "draining" and listed["share"] == 0, listed
            assert listed["drain"]["eta_s"] != 0, listed

            answer = pool.undrain("web-3")
            assert answer["state"] == "active" and answer["drain"] is None, answer
            pool.open_until("the undrained backend serves more",
                            lambda now: now["web-3"] > servers["web-3"], period_ms=100)

            pool.drain("web-3", 0)
            assert pool.backends()["web-3"]["drain"]["deadline_in_s"] is None
            pool.empty("web-3")
            drain = pool.backends()["web-3"]["drain"]
            assert drain is None or drain["eta_s"] == 0, drain
            pool.remove("web-3")
            pool.unbroken()
        no_drops(lab)


@case("flows/a drain that reaches its deadline breaks the connections left there and no others",
      waits=True)
def drain_deadline(context):
    with open_lab(context) as lab:
        for pool in pools_of(lab, 3):
            servers = pool.open_everywhere(period_ms=100)
            gone = servers["web-2"]
            assert pool.drain("web-2", 2)["state"] == "draining"
            wait_for("the drain is over", lambda: pool.backends()["web-2"]["state"] != "draining")
            wait_for("the connections that were left there broke",
                     lambda: pool.holder.status()["broken"] == gone, 60)
            status = pool.holder.wake()
            assert status["broken"] == gone and status["stalled"] == 0, status
            # The backend can come back, for new connections.
            pool.undrain("web-2")
            pool.open_until("the backend is back", lambda now: now.get("web-2", 0) >= 3)
            status = pool.holder.wake()
            assert status["broken"] == gone and status["stalled"] == 0, status
        no_drops(lab)


def unsettled(pool):
    return pool.service()["unsettled"]


@case("flows/slots settle after the idle timeout, and no connection moves by that", waits=True)
def settles(context):
    with open_lab(context) as lab:
        pools = pools_of(lab, 4, timeouts={"tcp_idle_ms": 3000})
        for pool in pools:
            pool.open_everywhere(least=10, period_ms=250)
            assert unsettled(pool) == 0, unsettled(pool)
            for name in "web-1", "web-2":
                pool.drain(name)
            pool.holder.open(60, 250)
            pool.undrain("web-2")
            assert unsettled(pool) > 0
        full, minimal = pools
        wait_for("all slots settle with full tracking", lambda: unsettled(full) == 0, 60, 0.2)
        # With minimal tracking a slot stays as long as it has a connection that is elsewhere.
        wait_for("no slots but those of connections elsewhere are left with minimal tracking",
                 lambda: 0 < unsettled(minimal) <= minimal.holder.opened, 60, 0.2)
        for pool in pools:
            pool.holder.wait_answers(4 * pool.holder.opened)
            pool.unbroken()

        minimal.empty("web-1")
        for name in "web-2", "web-3", "web-4":
            minimal.holder.leave(name)
        minimal.holder.open(100, 250)
        wait_for("all slots settle with minimal tracking", lambda: unsettled(minimal) == 0, 90, 0.2)
        for pool in pools:
            pool.holder.wait_answers(2 * (pool.holder.opened - pool.holder.status()["left"]))
            pool.unbroken()
        no_drops(lab)


@case("flows/what is silent beyond the idle timeout is lost with its slot; what is not, stays",
      waits=True)
def silent_too_long(context):
    """The edge of the promise: the same flows as in the case of the sleepers, but slots settle."""
    with open_lab(context) as lab:
        for pool in pools_of(lab, 4, timeouts={"tcp_idle_ms": 3000}):
            silent = Holder(lab, pool.config["vip"], pool.config["port"])
            while silent.status()["servers"].get("web-1", 0) < 5:
                silent.open(20)
                silent.settle()
            pool.open_everywhere(least=5, period_ms=250)
            for name in "web-1", "web-2":
                pool.drain(name)
            there = silent.status()["servers"]
            # Minimal tracking leaves the slots of those that are not silent unsettled.
            wait_for("slots settle", lambda: unsettled(pool) <= pool.holder.opened, 60, 0.2)
            wait_for("silent flows are forgotten", lambda: all(
                pool.live(name) <= pool.servers()[name] for name in pool.nodes), 60, 0.2)
            lost = sum(there.get(name, 0) for name in ("web-1", "web-2"))
            silent.wake()
            wait_for("those of the drained backends broke",
                     lambda: silent.status()["broken"] >= lost, 60)
            pool.holder.wait_answers(2 * pool.holder.opened)
            pool.unbroken()
        no_drops(lab)
