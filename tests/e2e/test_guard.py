# SPDX-License-Identifier: GPL-2.0-only
"""The guard with real clients: denied sources, lists in files, the limit of new flows."""

import json
import re
import time

from lib.cases import case
from lib.world import (VIP, LabError, Load, backends, fetch, open_lab, service, start, url,
                       verdicts, wait_for, wait_reachable)

MANY = 100_000


def write_config(lab, services, guard=None):
    """The lab's config with the guard's lists for all services."""
    path = lab.write_config(services)
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**config, **({"guard": guard} if guard else {})}, file)
    return path


def write_list(lab, name, lines):
    with open(lab.path(name), "w", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
    return lab.path(name)


def refused(node):
    """The client's requests get no answer. A denied SYN is dropped, so curl waits in vain."""
    return fetch(node, url(), "--connect-timeout", "0.3", check=False).returncode != 0


def answered(node):
    return fetch(node, url()).stdout == "web-1\n"


def prefixes(lab, *words):
    return {one["prefix"]: (one["answer"], one["origin"])
            for one in lab.sluice_json("guard", "ls", *words)["rules"]}


def agent_writes(lab):
    """What the agent says that it wrote to and removed from the map."""
    with open(lab.agent.log_path, encoding="utf-8") as file:
        return re.findall(r"guard: (?:wrote|removed) .*", file.read())


@case("conformance/P13 a denied client's requests fail, its neighbour's do not, a running flow ends")
def denied_client(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        neighbour = lab.add_client("neighbour")
        load = Load(lab.client, VIP[4])
        load.keep(3, 50)
        load.wait_answers(20)
        lab.sluice("guard", "deny", lab.client.address())
        assert refused(lab.client) and answered(neighbour)
        before = verdicts(lab)["drop_denied"]
        wait_for("the running flow's packets are dropped",
                 lambda: verdicts(lab)["drop_denied"] > before)

        def silent():
            before = load.latest["answered"]
            return refused(lab.client) and load.latest["answered"] == before
        wait_for("the running flow has no answers", silent)
        # A longer prefix inside, of this service only.
        lab.sluice("guard", "allow", lab.client.address(), "--service", "web")
        load.wait_answers(20)
        assert answered(lab.client)
        lab.sluice("guard", "rm", lab.client.address(), "--service", "web")
        assert refused(lab.client)
        shown = lab.sluice_json("guard", "ls", "--address", lab.client.address(), "--service", "web")
        assert shown["answer"] == "deny" and len(shown["rules"]) == 1, shown
        lab.sluice("guard", "rm", lab.client.address())
        load.wait_answers(20)
        assert answered(lab.client)
        assert not any(one["gone"] for one in load.finish()["servers"].values())


@case("conformance/P13 run-time answers outlive a restart and a reload; what the host has is not judged")
def answers_stay(context):
    with open_lab(context) as lab:
        web = service(lab, backends=backends(lab, 1), guard={"allow": ["198.18.0.21"]})
        feed = write_list(lab, "deny.txt", ["# a feed", "10.0.0.0/8", "", "198.18.0.0/24 # the lab"])
        lab.start_agent(write_config(lab, [web], {"deny_file": feed, "allow": ["192.0.2.0/24"]}))
        wait_reachable(lab)
        neighbour = lab.add_client("neighbour")
        assert refused(lab.client) and answered(neighbour)
        assert lab.client.run("curl", "-s", "--max-time", "5", f"http://{lab.lb.address()}:9981/",
                              check=False).returncode == 7  # the host itself answers: a reset
        lab.sluice("guard", "rm", "198.18.0.0/24")
        lab.sluice("guard", "deny", "2001:db8::/32")
        lab.sluice("guard", "deny", "198.18.0.21", "--service", "web")
        config = lab.agent.config
        for _ in range(2):
            assert answered(lab.client) and refused(neighbour)
            assert prefixes(lab) == {
                "10.0.0.0/8": ("deny", "config"), "192.0.2.0/24": ("allow", "config"),
                "2001:db8::/32": ("deny", "runtime")}
            assert prefixes(lab, "--service", "web") == {"198.18.0.21/32": ("deny", "runtime")}
            lab.agent.stop()
            assert answered(lab.client) and refused(neighbour)  # no agent is needed for it
            lab.start_agent(config)
            lab.sluice("apply", "-f", config)
        # The config says something new about a prefix: that is in force.
        write_list(lab, "deny.txt", ["198.18.0.0/24", "2001:db8::/32"])
        write_config(lab, [{**web, "guard": {}}], {"deny_file": feed})
        lab.sluice("apply", "-f", config)
        assert prefixes(lab)["2001:db8::/32"] == ("deny", "config")
        assert "10.0.0.0/8" not in prefixes(lab)
        # About these it says the same as ever, or nothing any more.
        assert "198.18.0.0/24" not in prefixes(lab)
        assert not prefixes(lab, "--service", "web") and answered(neighbour)
        assert re.search(r'sluice_guard_prefixes\{service="",answer="deny"\} 1\n', lab.metrics())


@case("conformance/P13 a wrong list names file and line, and changes nothing")
def wrong_lists(context):
    with open_lab(context) as lab:
        feed = write_list(lab, "deny.txt", ["10.0.0.0/8"])
        web = service(lab, backends=backends(lab, 1))
        config = write_config(lab, [web], {"deny_file": feed})
        lab.start_agent(config)
        before = prefixes(lab)
        write_list(lab, "deny.txt", ["10.0.0.0/8", "# x", "10.0.0.1/8"])
        for words in ("apply", "-f", config), ("config", "check", config), \
                ("guard", "deny", "--file", feed):
            done = lab.sluice(*words, check=False)
            assert done.returncode == 1, (words, done)
            assert re.search(r"deny\.txt:3: '10\.0\.0\.1/8' .*10\.0\.0\.0/8", done.stderr), done
        for status, pattern, *words in [
                (2, "10.0.0.0/8", "deny", "10.0.0.1/8"), (2, "PREFIX", "deny"),
                (2, "web.example", "allow", "web.example"), (1, "11.0.0.0/8", "rm", "11.0.0.0/8"),
                (1, "none", "deny", "10.0.0.0/8", "--service", "none"),
                (1, "gone.txt", "deny", "--file", lab.path("gone.txt")),
                (2, "--limit", "ls", "--limit", "0"), (2, "maybe", "ls", "--answer", "maybe")]:
            done = lab.sluice("guard", *words, check=False)
            assert done.returncode == status and re.search(pattern, done.stderr), (words, done)
        for method, path, body in [
                ("PUT", "/v1/guard", {"deny": "10.0.0.0/8"}), ("PUT", "/v1/guard", {"deny": [7]}),
                ("PUT", "/v1/guard", {"block": []}), ("DELETE", "/v1/guard", None),
                ("PUT", "/v1/guard", {"deny": ["10.0.0.0/8"], "allow": ["10.0.0.0/8"]}),
                ("GET", "/v1/guard?limit=x", None), ("GET", "/v1/guard?after=x", None),
                ("GET", "/v1/guard?address=x", None), ("GET", "/v1/guard?answer=x", None)]:
            try:
                raise AssertionError((method, path, body, lab.api(method, path, body)))
            except LabError as error:
                assert ": 400 " in str(error), error
        assert prefixes(lab) == before


@case("conformance/P13 a limit of new flows holds one client, not its neighbour, nor running flows")
def limited_client(context):
    with open_lab(context) as lab:
        limit = {"rate": 1, "burst": 5}
        start(lab, [service(lab, backends=backends(lab, 1), guard={"new_flow_limit": limit})])
        neighbour = lab.add_client("neighbour")
        load = Load(lab.client, VIP[4])
        load.keep(3, 50)
        load.wait_answers(20)
        load.rate(200)
        wait_for("new flows are turned away", lambda: verdicts(lab)["drop_new_flow_limit"] > 20)
        assert answered(neighbour)
        load.wait_answers(50)  # of the running flows
        assert not any(one["gone"] for one in load.latest["servers"].values())
        shown = lab.service("web")["guard"]["new_flow_limit"]
        assert shown == {**limit, "prefix4": 32, "prefix6": 64}, shown
        assert "at most 1/s, 5 at once" in lab.sluice("service", "show", "web").stdout
        with open(lab.agent.config, encoding="utf-8") as file:
            config = json.load(file)
        config["services"][0]["guard"] = {}
        with open(lab.agent.config, "w", encoding="utf-8") as file:
            json.dump(config, file)
        lab.sluice("apply", "-f", lab.agent.config)
        load.wait_answers(300)


@case(f"conformance/P13 a list of {MANY} prefixes is taken, paged, replaced and taken off")
def many_prefixes(context):
    with open_lab(context) as lab:
        lines = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(0, 2 * MANY, 2)]
        feed = write_list(lab, "deny.txt", lines)
        config = write_config(lab, [service(lab, backends=backends(lab, 1))], {"deny_file": feed})
        write_list(lab, "deny.txt", [])
        lab.start_agent(config)
        wait_reachable(lab)
        write_list(lab, "deny.txt", lines)
        for what, count in ("all", MANY), ("half", MANY // 2), ("none", 0):
            write_list(lab, "deny.txt", lines[:count])
            began = time.monotonic()
            lab.sluice("apply", "-f", config)
            context.log(f"{what}: applied in {time.monotonic() - began:.3f} s")
            assert lab.api("GET", "/v1/guard?limit=1")["deny"] == count
        write_list(lab, "deny.txt", lines)
        lab.sluice("guard", "deny", "--file", feed)
        page = lab.api("GET", "/v1/guard?limit=10000")
        assert page["deny"] == MANY and len(page["rules"]) == 10000 and page["next"]
        listed = prefixes(lab, "--limit", str(MANY))
        assert len(listed) == MANY and listed["10.3.13.62/32"] == ("deny", "runtime")
        # A restart reads them all back, and writes none anew.
        writes = agent_writes(lab)
        lab.agent.stop()
        began = time.monotonic()
        lab.start_agent(config)
        context.log(f"started with them in {time.monotonic() - began:.3f} s")
        assert lab.api("GET", "/v1/guard?limit=1")["deny"] == MANY
        assert agent_writes(lab) == writes
        assert answered(lab.client)
