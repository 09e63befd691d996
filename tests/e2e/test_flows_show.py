# SPDX-License-Identifier: GPL-2.0-only
"""What is shown of flows: `sluice flows`, and the flow table's pressure in the metrics."""

from lib import prometheus
from lib.cases import case
from lib.keeper import PORT, add_nodes, service, start, wait_for
from lib.world import open_lab


def flows(lab, *words):
    return lab.sluice_json("flows", *words)


def live(answer):
    """{(service, backend): live} of an answer, without the backends that have none."""
    return {(one["service"], one["backend"]): one["live"]
            for one in answer["backends"] if one["live"]}


def clients(node, port):
    """The clients of a server, as --client wants them."""
    done = node.run("ss", "-Htn", "state", "established", f"sport = :{port}")
    return [line.split()[3] for line in done.stdout.splitlines()]


@case("flows/sluice flows counts and lists what is held, by service, backend and client")
def shown(context):
    with open_lab(context) as lab:
        nodes = add_nodes(lab, 3, ports=(PORT, PORT + 1))
        first, second = start(lab, nodes, service("first", PORT), service("second", PORT + 1))
        second.open_everywhere()
        first.open_everywhere(least=8)
        servers = first.unbroken()["servers"]
        others = second.unbroken()["servers"]
        expected = {**{("first", name): count for name, count in servers.items()},
                    **{("second", name): count for name, count in others.items()}}

        answer = flows(lab)
        assert answer["matched"] == sum(expected.values()), answer
        assert answer["states"] == {"closing": 0, "probation": 0,
                                    "proven": sum(expected.values())}, answer["states"]
        assert live(answer) == expected, (live(answer), expected)

        answer = flows(lab, "--service", "first", "--limit", "7")
        assert answer["matched"] == sum(servers.values()) and len(answer["flows"]) == 7, answer
        slots = lab.service("first")["slots"]
        for one in answer["flows"]:
            assert one["service"] == "first" and one["state"] == "proven", one
            assert 0 <= one["slot"] < slots and 0 <= one["idle_s"] < 300, one
            assert int(one["tag"], 16) < 1 << 28, one

        answer = flows(lab, "--service", "first", "--backend", "web-2", "--limit", "10000")
        assert answer["matched"] == servers["web-2"] == len(answer["flows"]), answer
        assert live(answer) == {("first", "web-2"): servers["web-2"]}, answer
        assert {one["backend"] for one in answer["flows"]} == {"web-2"}, answer

        for node in nodes:
            client = clients(node, PORT)[0]
            answer = flows(lab, "--service", "first", "--client", client)
            assert [one["backend"] for one in answer["flows"]] == [node.name], (client, answer)
            text = lab.sluice("flows", "--service", "first", "--client", client).stdout
            assert node.name in text, text
        answer = flows(lab, "--service", "first", "--client", "192.0.2.1:9")
        assert answer["matched"] == 0 and answer["flows"] == [], answer

        # The counts of backends come from the agent's own passes over the table.
        wait_for("live flows are counted", lambda: {
            name: one["live_flows"] for name, one in first.backends().items()} == servers)
        first.holder.leave("web-2")
        wait_for("what has ended is forgotten", lambda: flows(
            lab, "--service", "first")["matched"] == sum(servers.values()) - servers["web-2"])
        assert flows(lab, "--service", "second")["matched"] == sum(others.values())


@case("flows/sluice flows refuses what is not there, and says what is missing")
def refused(context):
    with open_lab(context) as lab:
        start(lab, add_nodes(lab, 1), service())
        for words, text in ((["--service", "none"], "none"),
                            (["--service", "web", "--backend", "none"], "none"),
                            (["--backend", "web-1"], "--service"),
                            (["--client", "192.0.2.1:9"], "--service"),
                            (["--service", "web", "--client", "192.0.2.1"], "client"),
                            (["--service", "web", "--client", "[2001:db8::1]:9"], "client")):
            done = lab.sluice("flows", *words, check=False)
            assert done.returncode and text in done.stderr, (words, done)


@case("flows/a full flow table: its pressure is in the metrics, and connections go on without entries")
def pressure(context):
    with open_lab(context) as lab:
        nodes = add_nodes(lab, 3)
        pool, = start(lab, nodes, service(), limits={"flows": 256},
                      timeouts={"closing_ms": 60000})
        before = prometheus.read(lab.metrics())
        capacity = prometheus.get(before, "sluice_flow_table_capacity")
        assert capacity == 256, capacity
        assert prometheus.get(before, "sluice_flow_table_rejects_total") == 0
        count = 1500
        pool.holder.open(count, 300)
        pool.unbroken(wake=False)

        def full():
            samples = prometheus.read(lab.metrics())
            return (prometheus.get(samples, "sluice_flow_table_entries") == capacity and
                    prometheus.get(samples, "sluice_flow_table_rejects_total") > 0 and samples)
        samples = wait_for("the table is full", full)
        inserts = prometheus.get(samples, "sluice_flow_table_inserts_total")
        assert inserts >= capacity, inserts
        table = lab.api("GET", "/v1/status")["flows"]
        assert table["capacity"] == table["live"] == capacity and table["rejects"] > 0, table

        # What found no room is found by its slot: also after a change, by the previous owner.
        pool.drain("web-1")
        pool.holder.wait_answers(2 * count)
        pool.weight("web-2", 20)
        pool.undrain("web-1")
        pool.holder.wait_answers(2 * count)
        pool.unbroken()

        # Entries of ended connections give way, by state, to those of new ones.
        evicted = {state: prometheus.get(samples, "sluice_flow_table_evictions_total", state=state)
                   for state in ("closing", "probation", "proven")}
        assert all(number is not None for number in evicted.values()), evicted
        for name in pool.nodes:
            pool.holder.leave(name)
        wait_for("the last packets of what has ended have come", lambda: not lab.client.run(
            "ss", "-Htn", "state", "connected", "exclude", "time-wait").stdout)
        for _ in range(20):  # one by one: in a full table new flows may take each other's place
            pool.holder.open(1)
            pool.unbroken(wake=False)
        pool.unbroken()
        samples = prometheus.read(lab.metrics())
        assert prometheus.get(samples, "sluice_flow_table_evictions_total",
                              state="closing") > evicted["closing"], evicted
        assert prometheus.get(samples, "sluice_flow_table_evictions_total", state="proven") == 0
