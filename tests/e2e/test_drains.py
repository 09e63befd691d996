# SPDX-License-Identifier: GPL-2.0-only
"""Drains as they are seen, the end of full tracking, and what a VIP answers for unknown ports;
what a provisioner says that it can do."""

import mmap
import os
import stat
import struct

from lib.cases import case
from lib.pins import pin_open
from lib.keeper import PORT, Holder, add_nodes, start as start_pools, write_config
from lib.keeper import service as keeper_service
from lib.world import (VIP, backends, fetch, open_lab, service, start, url, verdicts,
                       wait_for)


@case("e2e/unknown_port: a reload changes what a VIP answers for ports that no service takes")
def unknown_port(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 1)
        start(lab, [service(lab, backends=nodes, unknown_port="pass"),
                    service(lab, "tls", backends=nodes, port=443, unknown_port="pass")])

        def knock(name):
            before = verdicts(lab)[name]
            fetch(lab.client, f"http://{VIP[4]}:81/", "--connect-timeout", "1", check=False)
            wait_for(f"a packet counted as {name}", lambda: verdicts(lab)[name] > before)

        knock("pass_no_service")
        assert "unknown port: pass" in lab.sluice("service", "show", "web").stdout
        lab.sluice("apply", "-f", lab.write_config([service(lab, backends=nodes)], "one.yaml"))
        knock("drop_no_service")
        done = lab.sluice("service", "add", "other", "--vip", lab.service("web")["vip"],
                          "--protocol", "tcp", "--port", "81", "--unknown-port", "pass",
                          check=False)
        assert done.returncode == 1 and "unknown_port" in done.stderr, done.stderr
        assert fetch(lab.client, url()).stdout == "web-1\n"


def end_full_tracking(context, **more):
    """Connections that a random scheduler spread break not one when their service gets minimal."""
    with open_lab(context) as lab:
        nodes = add_nodes(lab, 3)
        config = keeper_service(scheduler="random", **more)
        pool, = start_pools(lab, nodes, config)
        pool.open_everywhere(least=20)
        backends_ = [{"name": node.name, "address": node.target} for node in nodes]
        service_ = pool.service()
        assert service_["tracking_now"] == "full" and service_["unsettled"] == 0, service_
        lab.sluice("apply", "-f", write_config(lab, [
            {**config, "scheduler": "maglev", "tracking": "minimal", "backends": backends_}],
            "minimal.yaml"))
        assert pool.service()["tracking_now"] == "full"
        assert "tracking minimal (still full)" in lab.sluice("service", "show", "web").stdout
        pool.holder.open(50)
        pool.unbroken()
        wait_for("full tracking ends", lambda: pool.service()["tracking_now"] == "minimal")
        assert pool.service()["unsettled"] > 0
        pool.unbroken()
        pool.drain("web-1")
        pool.unbroken()
        pool.undrain("web-1")
        pool.unbroken()


@case("flows/a service that gets minimal tracking keeps the flows of a random scheduler")
def full_tracking_ends(context):
    end_full_tracking(context)


@case("flows/a service with affinity source that gets minimal tracking breaks no flow")
def full_tracking_by_source_ends(context):
    end_full_tracking(context, affinity="source")


@case("flows/a drain shows when it is likely to be over, and its stragglers", waits=True)
def drain_shown(context):
    with open_lab(context) as lab:
        pool, = start_pools(lab, add_nodes(lab, 2), keeper_service())
        pool.open_everywhere()
        assert pool.backends()["web-1"]["drain"] is None
        groups = [Holder(lab, VIP[4], PORT) for _ in range(4)]  # an end is told by three counts
        for group in groups:
            while group.status()["servers"].get("web-1", 0) < 4:
                group.open(4)
                group.settle()
        few = groups.pop()
        pool.drain("web-1", 600)
        here = [pool.holder, *groups, few]

        def counted():
            held = sum(group.status()["servers"].get("web-1", 0) for group in here)
            wait_for(f"{held} live flows are counted", lambda: pool.live("web-1") == held)
            return held

        counted()
        for group in here[:-1]:
            group.leave("web-1")
            left = counted()
        wait_for("an end is told", lambda: pool.backends()["web-1"]["drain"]["eta_s"])
        drain = pool.backends()["web-1"]["drain"]
        stragglers = drain["stragglers"]
        assert stragglers["flows"] == left, drain
        assert 0 <= stragglers["idle_min_s"] <= stragglers["idle_max_s"] < 120, drain
        line, = [line for line in lab.sluice("backend", "ls", "web").stdout.splitlines()
                 if "web-1" in line]
        assert f"{left} stragglers, idle " in line, line
        few.leave("web-1")
        wait_for("nothing is left", lambda: pool.live("web-1") == 0)
        drain = pool.backends()["web-1"]["drain"]
        assert drain["eta_s"] == 0 and drain["stragglers"] is None, drain


def provisioner(lab, capabilities):
    """The path of one that writes its verbs down; what it does about capabilities is given."""
    path = lab.path("able")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"""#!/bin/sh
echo "$1" >>{lab.path("called")}
[ "$1" != capabilities ] || {{ {capabilities}; exit; }}
exec {lab.provisioner} "$1"
""")
    os.chmod(path, stat.S_IRWXU)
    return path


def called(lab):
    if not os.path.exists(lab.path("called")):
        return []
    with open(lab.path("called"), encoding="utf-8") as file:
        return file.read().split()


def scaled(lab, path, **more):
    return service(lab, autoscale={
        "provisioner": path, "options": lab.option_list(), "signal": "new_flows", "target": 100,
        "min": 2, "max": 4, **more})


@case("e2e/a provisioner whose capabilities fail is asked again before anything is created")
def capabilities_fail(context):
    with open_lab(context) as lab:
        path = provisioner(lab, f"[ -e {lab.path('up')} ] || {{ echo not up yet >&2; exit 10; }}; "
                           """echo '{"verbs": ["create", "delete", "list", "resize", "dance"], """
                           """"consistency_delay_ms": 70}'""")
        lab.start_agent(lab.write_config([scaled(lab, path)]))
        wait_for("it is asked again", lambda: called(lab).count("capabilities") >= 3)
        assert set(called(lab)) == {"capabilities"}, called(lab)
        scale = lab.api("GET", "/v1/scale/web")
        assert "not up yet" in scale["text"] and scale["capabilities"] is None, scale
        with open(lab.path("up"), "w", encoding="utf-8"):
            pass
        wait_for("two are created", lambda: [
            one["state"] for one in lab.service("web")["backends"]] == ["active"] * 2, 60)
        scale = lab.api("GET", "/v1/scale/web")
        assert "not up yet" not in scale["text"], scale
        assert scale["capabilities"] == {"verbs": ["create", "delete", "list", "resize"],
                                         "consistency_delay_ms": 70}, scale
        asked = called(lab).count("capabilities")
        lab.sluice("apply", "-f", lab.write_config([scaled(lab, path, target=200)], "same.yaml"))
        lab.sluice("apply", "-f", lab.write_config([scaled(
            lab, path, options=lab.option_list(mtu=1400))], "other.yaml"))
        wait_for("other options are asked about", lambda: called(lab).count(
            "capabilities") == asked + 1)


@case("e2e/a provisioner that cannot delete is not let create, and both log and scale say so")
def capabilities_lack(context):
    with open_lab(context) as lab:
        path = provisioner(lab, """echo '{"verbs": ["create", "list"]}'""")
        lab.start_agent(lab.write_config([scaled(lab, path)]))
        text = "its capabilities lack delete"
        wait_for("it is told", lambda: text in lab.sluice("scale", "show", "web").stdout)
        wait_for("it is listed", lambda: "list" in called(lab))
        wait_for("a decision", lambda: lab.api("GET", "/v1/scale/web")["need"] == 2)
        assert sorted(called(lab)) == ["capabilities", "list"], called(lab)
        assert lab.service("web")["backends"] == []
        assert lab.agent.log_tail().count(text) == 1, lab.agent.log_tail()
        lab.sluice("apply", "-f", lab.write_config([scaled(lab, lab.provisioner)], "other.yaml"))
        wait_for("two are created", lambda: [
            one["state"] for one in lab.service("web")["backends"]] == ["active"] * 2, 60)
        assert text not in lab.api("GET", "/v1/scale/web")["text"]


FLOWS = 4 << 20
PART = 1 << 19  # entries that one request reads


def pinned_memory(path, size):
    """The memory of a pinned array map."""
    with pin_open(path) as descriptor:
        return mmap.mmap(descriptor, size)


@case("flows/a full table of four million is read in parts, others are answered meanwhile")
def full_table(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 2)
        lab.start_agent(write_config(lab, [service(lab, backends=nodes)], limits={"flows": FLOWS}))
        wait_for("one flow is known", lambda: fetch(
            lab.client, url(), "--max-time", "1", check=False).returncode == 0
            and lab.sluice_json("flows")["flows"])
        table = pinned_memory(os.path.join(lab.pin_dir, "flows"), FLOWS * 8)
        entry = next(word for word, in struct.iter_unpack("<Q", table[:]) if word) | 3
        chunk = struct.pack("<Q", entry) * PART
        for part in range(FLOWS // PART):
            table[part * len(chunk):(part + 1) * len(chunk)] = chunk
        del table

        part = lab.api("GET", "/v1/flows?service=web&limit=10000")
        assert 1000 <= len(part["flows"]) < 1008 and part["next"] == len(part["flows"]) // 8
        part = lab.api("GET", "/v1/flows?service=web&limit=10")
        assert part["matched"] == part["states"]["proven"] == PART, part
        assert len(part["flows"]) == 10 and part["next"] == PART // 8, part["next"]
        last = lab.api("GET", f"/v1/flows?limit=0&after={(FLOWS - 8) // 8}")
        assert last["matched"] == 8 and last["next"] is None, last

        answers = 0
        process = lab.spawn(lab.sluice_path, "--socket", lab.socket, "flows", "--limit", "0")
        while process.poll() is None:
            lab.api("GET", "/v1/status")
            answers += 1
        context.log(f"{answers} other requests were answered meanwhile")
        assert process.returncode == 0 and answers > 1, (process.returncode, answers)
        answer = lab.sluice_json("flows", "--limit", "2500")
        assert answer["matched"] == FLOWS and len(answer["flows"]) == 2500, answer["matched"]
        assert sum(one["live"] for one in answer["backends"]) == FLOWS, answer["backends"]
        assert answer["next"] is None, answer["next"]
