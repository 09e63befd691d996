# SPDX-License-Identifier: GPL-2.0-only
"""`sluice plan` and `apply`: what is foreseen is what happens, and nothing is done before."""

import json

from lib import keeper
from lib.cases import case
from lib.command import sluice, succeeds
from lib.fake_agent import fake_agent
from lib.world import open_lab, wait_for, wait_reachable


class Configs:
    """Configs of one lab, each a change of the one before."""

    def __init__(self, lab, services):
        self.lab = lab
        self.services = services
        self.number = 0

    def write(self, **more):
        self.number += 1
        return keeper.write_config(self.lab, self.services, f"plan-{self.number}.yaml", **more)


def entry(node, **more):
    return {"name": node.name, "address": node.target, **more}


def ask(lab, verb, path, status):
    done = lab.sluice(verb, "-f", path, "--json", check=False)
    assert done.returncode == status, (verb, done.returncode, done.stderr)
    return json.loads(done.stdout)


def plan_and_apply(context, lab, path):
    """The plan, which must come true: the same steps and slots, and then nothing is left to do."""
    before = lab.api("GET", "/v1/services")
    plan = ask(lab, "plan", path, 3)
    after = lab.api("GET", "/v1/services")
    for one in before["services"] + after["services"]:
        for key in ("packets", "bytes", "new_flows"):
            del one[key]
        for backend in one["backends"]:
            for key in ("packets", "bytes", "new_flows", "live_flows"):
                del backend[key]
    assert before == after, "a plan changed something"
    done = ask(lab, "apply", path, 0)
    context.log(f"{path}: planned {plan['steps']} steps, {plan['slots_moved']} slots, "
                f"{plan['flows_moved']} flows; done: {done}")
    assert (plan["steps"], plan["slots_moved"]) == (done["steps"], done["slots_moved"])
    again = ask(lab, "plan", path, 0)
    assert again["steps"] == again["slots_moved"] == again["flows_moved"] == 0
    return plan


def actions(plan, service="web"):
    one = next(one for one in plan["services"] if one["name"] == service)
    return {backend["name"]: backend["action"] for backend in one["backends"]}


@case("control/plan: the slots and live flows that it foresees are those that then move")
def plan_comes_true(context):
    with open_lab(context) as lab:
        nodes = keeper.add_nodes(lab, 4)
        web = keeper.service(backends=[entry(node) for node in nodes[:3]])
        configs = Configs(lab, [web])
        lab.start_agent(configs.write())
        wait_reachable(lab)
        pool = keeper.Pool(lab, nodes, web)
        pool.open_everywhere(5)
        counts = pool.servers()
        wait_for("the flows are counted", lambda: all(
            pool.live(name) == count for name, count in counts.items()))

        web["backends"].append(entry(nodes[3], weight=50))  # one more
        plan = plan_and_apply(context, lab, configs.write())
        assert actions(plan) == {"web-4": "add"} and plan["flows_moved"] == 0
        assert 0 < plan["slots_moved"] < plan["services"][0]["slots"] / 3

        web["backends"][0]["weight"] = 20
        web["drain_ms"] = 1234
        plan = plan_and_apply(context, lab, configs.write())
        assert actions(plan) == {"web-1": "change"} and plan["flows_moved"] == 0
        assert {"field": "drain_ms", "from": 300000, "to": 1234} in plan["services"][0]["fields"]

        web["backends"][1]["drain"] = True  # gently
        plan = plan_and_apply(context, lab, configs.write())
        assert actions(plan) == {"web-2": "drain"} and plan["backends"]["drained"] == 1
        assert plan["slots_moved"] > 0 and plan["flows_moved"] == 0
        pool.unbroken()

        pool.empty("web-2")
        del web["backends"][1]
        plan = plan_and_apply(context, lab, configs.write())
        assert actions(plan) == {"web-2": "remove"}
        assert plan["flows_moved"] == plan["slots_moved"] == 0
        pool.unbroken()

        count = pool.servers()["web-3"]  # not gently: its flows have nowhere to stay
        wait_for("web-3's flows are counted", lambda: pool.live("web-3") == count)
        web["backends"] = [one for one in web["backends"] if one["name"] != "web-3"]
        plan = plan_and_apply(context, lab, configs.write())
        assert actions(plan) == {"web-3": "remove"} and plan["flows_moved"] == count > 0

        count = pool.open_everywhere()["web-4"]
        wait_for("web-4's flows are counted", lambda: pool.live("web-4") == count)
        web["backends"][-1]["maint"] = True  # nor is this gentle
        plan = plan_and_apply(context, lab, configs.write())
        assert actions(plan) == {"web-4": "maint"} and plan["flows_moved"] == count, plan

        configs.services.append(keeper.service("other", 7001, backends=[entry(nodes[2])]))
        plan = plan_and_apply(context, lab, configs.write())
        assert [one["action"] for one in plan["services"]] == ["add"]
        web["port"] = 7002
        plan = plan_and_apply(context, lab, configs.write())
        assert [one["action"] for one in plan["services"]] == ["replace"]
        assert plan["flows_moved"] > 0
        del configs.services[0]
        plan = plan_and_apply(context, lab, configs.write())
        assert [one["action"] for one in plan["services"]] == ["remove"]


@case("control/plan: prefixes and interfaces that come and go are in it; what cannot be is refused")
def plan_beside_services(context):
    with open_lab(context) as lab:
        lab.start_agent(lab.write_config([]))
        path = lab.path("guard.yaml")
        with open(lab.write_config([]), encoding="utf-8") as file:
            config = json.load(file)

        def write(**more):
            with open(path, "w", encoding="utf-8") as out:
                json.dump(config | more, out)
            return path
        deny = {"deny": ["198.51.100.0/24", "2001:db8:bad::/48"]}
        plan = ask(lab, "plan", write(guard=deny), 3)
        assert plan["guard"][0]["added"] == 2 and plan["steps"] == 0
        assert lab.api("GET", "/v1/guard")["deny"] == 0
        text = lab.sluice("apply", "-f", path).stdout
        assert "guard of all services: 2 prefixes added" in text
        assert "+ deny 198.51.100.0/24" in text
        assert ask(lab, "plan", path, 0)["guard"] == []
        plan = ask(lab, "plan", write(guard={"allow": ["198.51.100.0/24"]}), 3)
        assert (plan["guard"][0]["changed"], plan["guard"][0]["removed"]) == (1, 1)
        plan = ask(lab, "plan", write(guard=deny, interfaces=[]), 3)
        assert plan["interfaces"] == [{"name": "eth0", "action": "detach"}]
        for more in ({"limits": {"services": 5}}, {"interfaces": [{"name": "nope0"}]}):
            done = lab.sluice("plan", "-f", write(guard=deny, **more), check=False)
            assert done.returncode == 1 and not done.stdout
            assert lab.sluice("apply", "-f", path, check=False).stderr == done.stderr


PLAN = {
    "steps": 9, "slots_moved": 30000, "flows_moved": 12,
    "backends": {"created": 1, "removed": 1, "drained": 1, "changed": 0},
    "interfaces": [{"name": "eth1", "action": "attach", "mode": "auto"}],
    "services": [
        {"name": "web", "action": "change", "slots": 65537, "slots_moved": 30000,
         "flows_moved": 12, "fields": [{"field": "drain_ms", "from": 300000, "to": 5000}],
         "backends": [
             {"name": "web-1", "action": "drain", "flows_moved": 0,
              "fields": [{"field": "state", "from": "active", "to": "draining"}]},
             {"name": "web-2", "action": "remove", "flows_moved": 12,
              "fields": [{"field": "address", "from": "192.0.2.12", "to": None}]},
             {"name": "web-3", "action": "add", "flows_moved": 0,
              "fields": [{"field": "address", "from": None, "to": "192.0.2.13"},
                         {"field": "weight", "from": None, "to": 50},
                         {"field": "state", "from": None, "to": "active"}]}]},
        {"name": "old", "action": "remove", "slots": 251, "slots_moved": 0, "flows_moved": 1,
         "fields": [{"field": "vip", "from": "192.0.2.81", "to": None}], "backends": []}],
    "guard": [{"service": None, "added": 1, "removed": 0, "changed": 0,
               "rules": [{"prefix": "198.51.100.0/24", "from": "none", "to": "deny"}]}],
}  # fmt: skip
TEXT = """\
+ interface eth1: attach
~ service web drain_ms 300000 -> 5000: 12 live flows move
  ~ backend web-1 state active -> draining
  - backend web-2 (192.0.2.12): 12 live flows leave it; 'drain: true' first spares them
  + backend web-3 (192.0.2.13), weight 50
  slots: 30000 of 65537 change their owner
- service old (192.0.2.81): 1 live flow end
~ guard of all services: 1 prefixes added, 0 removed, 0 changed
  + deny 198.51.100.0/24
plan: 9 steps; backends: 1 created, 1 drained, 0 changed, 1 removed; 30000 slots move; \
12 live flows move
"""


@case("control/plan: one line for each thing that changes; apply prints the same and then does it",
      root=False)
def plan_text(context):
    path = context.tmp / "c.yaml"
    path.write_text("services:\n")
    with fake_agent(context.tmp / "s") as agent:
        query = f"?name={path}".replace("/", "%2F")
        agent.on("POST", "/v1/plan" + query, PLAN)
        done = sluice(context, "plan", "-f", str(path), agent=agent)
        assert done.returncode == 3 and done.stdout == TEXT and done.stderr == ""
        done = sluice(context, "apply", "-f", str(path), "--dry-run", agent=agent)
        assert done.returncode == 3 and done.stdout == TEXT and len(agent.requests) == 2
        agent.on("POST", "/v1/config" + query, {"steps": 9, "slots_moved": 30000})
        done = succeeds(context, "apply", "-f", str(path), agent=agent)
        assert done.stdout == TEXT and done.stderr == f"{path}: applied, 9 steps, 30000 slots moved\n"
        agent.on("POST", "/v1/config" + query, {"steps": 9, "slots_moved": 29999})
        done = succeeds(context, "apply", "-f", str(path), agent=agent)
        assert "30000 slots were planned to move" in done.stderr
        agent.on("POST", "/v1/plan" + query,
                 PLAN | {"services": [], "guard": [], "interfaces": [], "steps": 0})
        assert succeeds(context, "plan", "-f", str(path), agent=agent).stdout == "no changes\n"
