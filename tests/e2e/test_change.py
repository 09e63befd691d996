# SPDX-License-Identifier: GPL-2.0-only
"""Under load, nothing that people or the host do to the agent or the pool fails a request."""

import json
import os
import signal

from lib.cases import ROOT, case
from lib.world import (VIP, LabError, Load, all_answered, backend, backends, fetch, no_drops,
                       open_lab, service, start, under_load, url, verdicts, wait_for,
                       wait_reachable)


def answers(load):
    return {name: one["answers"] for name, one in load.latest["servers"].items()}


def wait_served_by(load, name, more=20):
    before = answers(load).get(name, 0)
    wait_for(f"{name} answers", lambda: answers(load).get(name, 0) >= before + more)


def wait_not_served_by(load, name, rate=300):
    """Wait until new connections have stopped to come to a backend (none may be held there)."""
    def quiet():
        before = answers(load).get(name, 0)
        load.wait_answers(rate)
        return answers(load).get(name, 0) == before
    wait_for(f"{name} gets nothing", quiet)


@case("e2e/agent stopped, killed and started again under load: no request fails, no flow moves")
def agent_restarts(context):
    with open_lab(context) as lab:
        config = lab.write_config([service(lab, backends=backends(lab, 3))])
        lab.start_agent(config)
        wait_reachable(lab)
        with under_load(lab) as load:
            digest = lab.service("web")["digest"]
            counts = []
            for number in signal.SIGTERM, signal.SIGKILL, signal.SIGINT:
                counts.append(lab.service("web")["packets"])
                status = lab.agent.stop(number)
                assert status == (-number if number == signal.SIGKILL else 0), status
                load.wait_answers(600)
                lab.start_agent(config)
                assert lab.service("web")["digest"] == digest
                load.wait_answers(300)
            counts.append(lab.service("web")["packets"])
            assert counts == sorted(set(counts)), counts


@case("e2e/agent killed again and again at any moment: it always comes back with what it had")
def agent_killed_often(context):
    with open_lab(context) as lab:
        config = lab.write_config([service(lab, backends=backends(lab, 2))])
        lab.start_agent(config)
        wait_reachable(lab)
        lab.sluice("backend", "weight", "web", "web-2", "37")
        with under_load(lab, rate=200):
            for _ in range(20 if context.soak else 5):
                lab.agent.stop(signal.SIGKILL)
                lab.start_agent(config, wait=False)
                lab.agent.stop(signal.SIGKILL)  # in the middle of its start
                lab.start_agent(config)
                web = {one["name"]: one for one in lab.service("web")["backends"]}
                assert web["web-2"]["weight_runtime"] == 37, web


@case("e2e/a backend is added, weighted, drained, undrained and removed under load")
def pool_changes(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 2)
        start(lab, [service(lab, backends=nodes)])
        with under_load(lab) as load:
            third = lab.add_backend("web-3", VIP[4])
            lab.sluice("backend", "add", "web", "web-3", third.target)
            wait_served_by(load, "web-3")

            load.keep(40)  # so that some are held by web-3
            load.wait_answers(300)
            lab.sluice("backend", "weight", "web", "web-1", "1")
            lab.sluice("backend", "weight", "web", "web-1", "100")
            lab.sluice("backend", "drain", "web", "web-3")
            state = {one["name"]: one["state"] for one in lab.service("web")["backends"]}
            assert state == {"web-1": "active", "web-2": "active", "web-3": "draining"}, state
            load.wait_answers(600)
            lab.sluice("backend", "undrain", "web", "web-3")
            wait_served_by(load, "web-3")

            # Removing breaks what is held there: let go first.
            load.keep(0)
            wait_for("nothing is held", lambda: load.latest["held"] == 0)
            lab.sluice("backend", "weight", "web", "web-3", "0")
            wait_not_served_by(load, "web-3")
            lab.sluice("backend", "rm", "web", "web-3")
            load.wait_answers(300)
            assert [one["name"] for one in lab.service("web")["backends"]] == ["web-1", "web-2"]
            load.keep(20)
            load.wait_answers(300)


@case("e2e/a drained backend gets no new flow and keeps those it has")
def drain_keeps(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 2))])
        load = Load(lab.client, VIP[4])
        load.keep(30, 50)
        wait_for("both hold connections", lambda: load.latest and len(answers(load)) == 2)
        lab.sluice("backend", "drain", "web", "web-2")
        wait_served_by(load, "web-2", 100)
        for _ in range(30):
            assert fetch(lab.client, url()).stdout == "web-1\n"
        wait_served_by(load, "web-2", 100)
        all_answered(load.finish())


@case("e2e/apply -f under load: backends come and go as the file says, no request fails")
def apply(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 3)
        start(lab, [service(lab, backends=nodes[:2])])
        with under_load(lab) as load:
            config = lab.write_config([service(lab, backends=nodes)], "more.yaml")
            lab.sluice("apply", "-f", config)
            wait_served_by(load, "web-3")
            steps = lab.sluice_json("apply", "-f", config)
            assert steps["slots_moved"] == 0, steps

            load.keep(0)
            wait_for("nothing is held", lambda: load.latest["held"] == 0)
            third = service(lab, backends=nodes)
            third["backends"][2]["weight"] = 0
            lab.sluice("apply", "-f", lab.write_config([third], "zero.yaml"))
            wait_not_served_by(load, "web-3")
            lab.sluice("apply", "-f", lab.write_config(
                [service(lab, backends=nodes[:2])], "less.yaml"))
            assert len(lab.service("web")["backends"]) == 2
            load.wait_answers(300)


@case("e2e/SIGHUP reads the config again; a wrong one leaves what is running")
def hangup(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 2)
        start(lab, [service(lab, backends=nodes[:1])])
        lab.write_config([service(lab, backends=nodes)])
        lab.agent.process.send_signal(signal.SIGHUP)
        wait_for("two backends", lambda: len(lab.service("web")["backends"]) == 2)
        with open(lab.agent.config, "w", encoding="utf-8") as file:
            file.write("services: 7\n")
        lab.agent.process.send_signal(signal.SIGHUP)
        wait_for("the log says what is wrong", lambda: "sluice.yaml:1:" in lab.agent.log_tail())
        assert len(lab.service("web")["backends"]) == 2
        assert fetch(lab.client, url()).stdout in ("web-1\n", "web-2\n")


@case("e2e/a weight set at run time outlives apply and a restart, until the config changes it")
def runtime_weight(context):
    def weights():
        return {one["name"]: (one["weight_effective"], one["weight_runtime"])
                for one in lab.service("web")["backends"]}

    with open_lab(context) as lab:
        nodes = backends(lab, 2)
        config = lab.write_config([service(lab, backends=nodes)])
        lab.start_agent(config)
        lab.sluice("backend", "weight", "web", "web-1", "7")
        assert weights() == {"web-1": (7, 7), "web-2": (100, None)}, weights()
        lab.sluice("apply", "-f", config)
        assert weights()["web-1"] == (7, 7), weights()
        lab.agent.stop(signal.SIGKILL)
        lab.start_agent(config)
        assert weights()["web-1"] == (7, 7), weights()
        changed = service(lab, backends=nodes)
        changed["backends"][0]["weight"] = 50
        lab.sluice("apply", "-f", lab.write_config([changed], "changed.yaml"))
        assert weights()["web-1"] == (50, None), weights()


@case("e2e/attach and detach: forwarding starts and ends with them, the host's own goes on")
def attach(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))], attach=False)

        def served():
            return fetch(lab.client, url(), "--connect-timeout", "1", check=False).returncode == 0

        assert not served()
        for mode in "native", "generic", "auto":
            lab.sluice("attach", "eth0", "--mode", mode)
            listed = lab.api("GET", "/v1/status")["interfaces"]
            assert [(one["name"], one["mode"]) for one in listed] == \
                [("eth0", "generic" if mode == "generic" else "native")], listed
            wait_reachable(lab)
            if mode != "generic":  # what generic mode sends needs no program at the peer, but
                assert served()    # a veth hands it frames whose checksums are still to be made
            lab.client.run("ping", "-n", "-c", "1", "-W", "10", lab.lb.address())
            lab.sluice("detach", "eth0")
            assert "prog/xdp" not in lab.lb.run("ip", "link", "show", "eth0").stdout
            assert lab.api("GET", "/v1/status")["interfaces"] == []
            lab.client.run("ping", "-n", "-c", "1", "-W", "10", lab.lb.address())
        assert not served()


@case("e2e/services are added and removed through the CLI")
def services(context):
    with open_lab(context) as lab:
        node = lab.add_backend("web-1", VIP[4])
        start(lab, [])
        lab.sluice("service", "add", "web", "--vip", VIP[4], "--protocol", "tcp", "--port", "80")
        lab.sluice("backend", "add", "web", "web-1", node.target)
        wait_reachable(lab)
        assert fetch(lab.client, url()).stdout == "web-1\n"
        assert [one["name"] for one in lab.sluice_json("service", "ls")["services"]] == ["web"]
        lab.sluice("service", "rm", "web")
        assert lab.sluice_json("service", "ls")["services"] == []
        assert fetch(lab.client, url(), "--connect-timeout", "1", check=False).returncode
        counts = verdicts(lab)
        assert counts["pass_not_vip"] > 0 and counts["forward_l2"] > 0, counts


@case("e2e/--cleanup leaves no pin, and the host's traffic goes on")
def cleanup(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        lab.agent.stop()
        assert fetch(lab.client, url()).stdout == "web-1\n"
        lab.lb.run(lab.sluiced, "--config", lab.agent.config, "--cleanup")
        assert not os.path.exists(lab.pin_dir)
        assert "prog/xdp" not in lab.lb.run("ip", "link", "show", "eth0").stdout
        lab.client.run("ping", "-n", "-c", "1", "-W", "10", lab.lb.address())


@case("control/uninstall takes all off the host with one command, and names what it leaves; with an "
      "agent running it removes nothing")
def uninstall(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        words = os.path.join(ROOT, "tools", "uninstall"), lab.sluiced, lab.agent.config
        done = lab.lb.run(*words, check=False)
        assert done.returncode == 1 and "nothing is removed; stop sluiced" in done.stderr, done
        assert fetch(lab.client, url()).stdout == "web-1\n" and os.path.exists(lab.pin_dir)
        lab.agent.stop()
        done = lab.lb.run(*words)
        assert done.stdout.splitlines() == [f"left behind: {lab.agent.config}",
                                            f"left behind: {lab.path('state')}"], done
        assert not os.path.exists(lab.pin_dir)
        assert "prog/xdp" not in lab.lb.run("ip", "link", "show", "eth0").stdout
        lab.client.run("ping", "-n", "-c", "1", "-W", "10", lab.lb.address())


@case("e2e/every reader of the CLI prints JSON, and text without it")
def readers(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        for words in (["status"], ["service", "ls"], ["service", "show", "web"],
                      ["backend", "ls", "web"], ["scale", "show"], ["flows"], ["version"]):
            json.loads(lab.sluice(*words, "--json").stdout)
            done = lab.sluice(*words)
            assert done.stdout.strip() and not done.stdout.startswith("{"), (words, done.stdout)
        try:
            lab.api("GET", "/v1/services/none")
        except LabError as error:
            assert "404" in str(error) and "none" in str(error), error
        else:
            raise AssertionError("a service that is not there was found")
        assert backend(lab.backends["web-1"])["address"] in lab.sluice("backend", "ls",
                                                                       "web").stdout
