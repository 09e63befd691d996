# SPDX-License-Identifier: GPL-2.0-only
"""What becomes of a pool whose provisioner is slow, hangs or fails, or whose backends are ill."""

import signal

from lib.cases import case
from lib.fake_provisioner import Fake
from lib.scaled import OWNER, created, said, scale_events, scale_of, scale_set, scaled, \
    spare_addresses
from lib.world import VIP, Load, backends, open_lab, service, wait_for, wait_reachable

OTHER_VIP = "203.0.113.90"


def active(lab, size, name="web", timeout_s=30):
    wait_for(f"{size} active in {name}", lambda: list(created(lab, name).values()).count(
        "active") == size, timeout_s)


@case("autoscale/life: a provisioner that hangs blocks neither another service nor its own drains")
def hangs(context):
    with open_lab(context) as lab:
        addresses = spare_addresses(lab, 4)
        fake = Fake(lab, addresses)
        lab.start_agent(lab.write_config([
            service(lab, autoscale=scaled(fake, max=3, min=2, call_timeout_ms=600000)),
            {**service(lab, "api"), "vip": OTHER_VIP, "autoscale": scaled(fake, max=2)}]))
        active(lab, 2)
        active(lab, 1, "api")
        one, other = sorted(created(lab))
        fake.be(hang=1.0)
        lab.api("DELETE", f"/v1/services/web/backends/{one}")
        # The calls themselves: that they are about to be made is seen earlier.
        wait_for("its deletion hangs, and the creation of another, too", lambda: {
            verb for verb, _, _, fault in fake.calls() if fault == "hang"} >= {"create", "delete"})
        assert sorted(created(lab).values()) == ["active", "deleting", "provisioning"]
        fake.be(hang=0.0)
        # Both calls go on hanging; what comes now is not held up by them.
        lab.api("DELETE", "/v1/services/api/backends/" + next(iter(created(lab, "api"))))
        wait_for("the other service has another backend", lambda: list(
            created(lab, "api").values()) == ["active"])
        scale_set(lab, min=3)
        wait_for("another backend of the same service is made", lambda: list(
            created(lab).values()).count("active") == 2)
        assert created(lab)[one] == "deleting" and created(lab)[other] == "active", created(lab)


@case("autoscale/life: a creation that failed and cannot be deleted is replaced all the same", soak=True)
def failed_for_good(context):
    with open_lab(context) as lab:
        fake = Fake(lab, spare_addresses(lab, 4), lost=1.0)
        lab.start_agent(lab.write_config([service(lab, autoscale=scaled(fake, max=2))]))
        wait_for("a creation fails, and so does its deletion", lambda: "failed" in created(
            lab).values() and [one for one in fake.calls() if one[0] == "delete"])
        fake.be(lost=0.0, fail=1.0, verbs=["delete"])
        active(lab, 1)
        assert "failed" in created(lab).values(), created(lab)
        fake.be(fail=0.0)
        wait_for("nothing else is left", lambda: fake.names(OWNER) == list(created(lab)), 60)


@case("autoscale/life: a failure is said once, waited for longer each time, shown, and its end is said",
      soak=True)
def said_once(context):
    with open_lab(context) as lab:
        fake = Fake(lab, spare_addresses(lab, 2), fail=1.0, verbs=["create"])
        lab.start_agent(lab.write_config([service(lab, autoscale=scaled(fake))]))
        wait_for("several creations failed", lambda: len(
            [one for one in fake.calls() if one[0] == "create"]) >= 2)
        wait_for("the wait is shown", lambda: "2 in a row, next try in" in said(lab))
        assert "no machine today" in said(lab), said(lab)
        text = lab.sluice("scale", "show", "web").stdout
        assert "no machine today" in text, text
        events = [one["why"] for one in scale_events(lab, "provisioner")]
        assert len([one for one in events if "no machine today" in one]) == 1, events
        fake.be(fail=0.0)
        active(lab, 1)
        events = [one["why"] for one in scale_events(lab, "provisioner")]
        assert "create works again, failures before: " in events[-1], events
        assert "no machine today" not in said(lab), said(lab)


@case("autoscale/life: too much of the pool is unhealthy: it halts, says so once, and goes on when it is "
      "not", soak=True)
def halts(context):
    with open_lab(context) as lab:
        fake = Fake(lab, spare_addresses(lab, 4))
        nodes = backends(lab, 2)
        lab.start_agent(lab.write_config([service(
            lab, backends=nodes, autoscale=scaled(fake, max=4, min=2),
            health={"type": "tcp", "interval_ms": 200,
                    "timeout_ms": 150, "rise": 1, "fall": 2})]))
        wait_for("both are up", lambda: scale_of(lab)["why"] == "steady" and all(
            one["health"] and one["health"]["verdict"] == "up"
            for one in lab.service("web")["backends"]))
        lab.sluice("scale", "pause", "web")  # they do not fall ill at the same moment
        for node in nodes:
            node.ip("link set eth0 down")
        wait_for("both are down", lambda: all(
            one["health"]["verdict"] == "down" for one in lab.service("web")["backends"]))
        lab.sluice("scale", "resume", "web")
        wait_for("it halts", lambda: scale_of(lab)["why"] == "halted")
        scale_set(lab, min=3)
        wait_for("halting is said", lambda: scale_events(lab, "scale"))
        events = scale_events(lab, "scale")
        assert len(events) == 1 and "2 of 2 backends are unhealthy" in events[0]["why"], events
        assert not created(lab) and not [one for one in fake.calls() if one[0] == "create"]
        for node in nodes:
            node.ip("link set eth0 up")
        wait_for("it goes on", lambda: len(scale_events(lab, "scale")) == 2)
        assert "decides again" in scale_events(lab, "scale")[1]["why"]
        wait_for("what is needed is made", lambda: created(lab))


@case("autoscale/history: what was decided, why, and what came of it, also after a kill")
def history(context):
    with open_lab(context) as lab:
        fake = Fake(lab, spare_addresses(lab, 2))
        lab.start_agent(lab.write_config([service(lab, autoscale=scaled(fake, max=2))]))
        active(lab, 1)
        fake.be(fail=1.0, verbs=["create"])
        scale_set(lab, min=2)
        wait_for("a creation failed", lambda: scale_events(lab, "provisioner"))
        wait_for("and is over", lambda: "provisioning" not in created(lab).values())
        lab.agent.stop(signal.SIGKILL)
        lab.start_agent(lab.agent.config)
        first, second, *_ = lab.sluice_json("scale", "history", "web")["decisions"]
        assert (first["from"], first["to"]) == (0, 1) and "need 1 by min" in first["text"], first
        assert (second["from"], second["to"]) == (1, 2) and "need 2 by min" in second["text"]
        made, = first["actions"]
        failed, = second["actions"]
        assert made["action"] == "create" and made["outcome"] == "created", made
        assert made["took_s"] >= 0 and made["backend"].startswith("web-lab-agent-"), made
        assert failed["outcome"] == "failed" and "no machine today" in failed["note"], failed
        text = lab.sluice("scale", "history", "web", "--last", "4096").stdout
        for words in ("0 -> 1", "1 -> 2", f"create {made['backend']}: created after",
                      "no machine today"):
            assert words in text, (words, text)


@case("autoscale/none: packets of an old flow take no drain back, a new flow does")
def old_flow_and_none(context):
    with open_lab(context) as lab:
        node = lab.add_backend("web-0", VIP[4])
        fake = Fake(lab, {node.target: None})
        lab.start_agent(lab.write_config([service(lab, autoscale=scaled(
            fake, min=1, drain_ms=600000))]))
        active(lab, 1)
        wait_reachable(lab)
        load = Load(lab.client, VIP[4])
        load.keep(1, 20)
        name = next(iter(created(lab)))
        wait_for("its flow is counted", lambda: next(
            one["live_flows"] for one in lab.service("web")["backends"]) == 1)
        scale_set(lab, min=0)
        wait_for("it drains", lambda: created(lab).get(name) == "draining")
        before = len(scale_events(lab, "change"))

        def packets():
            return next(one["packets"] for one in lab.service("web")["backends"])
        enough = packets() + 120  # some seconds, and as many decisions
        wait_for("the old flow goes on", lambda: packets() > enough)
        assert created(lab) == {name: "draining"}, created(lab)
        assert len(scale_events(lab, "change")) == before, scale_events(lab, "change")
        load.rate(20)
        wait_for("the drain is taken back", lambda: created(lab) == {name: "active"})
        totals = load.finish()
        assert totals["failed"] == 0 and not any(
            one["gone"] for one in totals["servers"].values()), totals
