# SPDX-License-Identifier: GPL-2.0-only
"""What is configured, set at run time and found is kept apart: diff, config dump, backend show."""

import json
import re

from lib.cases import ROOT, case
from lib.command import succeeds
from lib.fake_agent import fake_agent
from lib.world import backend, backends, open_lab, service, wait_for, wait_reachable

FIELD = re.compile(r"^\s*(?:- |# )*([a-z][a-z0-9_]*):", re.M)


def keys(value):
    """The names of all fields, at every level."""
    if isinstance(value, dict):
        return set(value) | set().union(*map(keys, value.values()), set())
    return set().union(*map(keys, value), set()) if isinstance(value, list) else set()


def scalar(text):
    text = text.strip()
    if text in ("true", "false", "[]", '""'):
        return {"true": True, "false": False, "[]": [], '""': ""}[text]
    return int(text) if text.isdigit() else text


def block(lines, indent):
    """What docs/sluice.yaml is written in: mappings, lists and scalars. Takes its lines."""
    if lines[0][1].startswith("- "):
        found = []
        while lines and lines[0][0] == indent and lines[0][1].startswith("- "):
            text = lines[0][1][2:]
            if not re.match(r"[a-z0-9_]+:( |$)", text):
                lines.pop(0)
                found.append(scalar(text))
                continue
            lines[0] = (indent + 2, text)
            found.append(block(lines, indent + 2))
        return found
    found = {}
    while lines and lines[0][0] == indent:
        key, value = lines.pop(0)[1].split(":", 1)
        deeper = lines and lines[0][0] > indent
        found[key] = scalar(value) if value.strip() or not deeper else block(lines, lines[0][0])
    return found


def documented():
    """The documented config as an object, and the names of all its fields."""
    text = (ROOT / "docs" / "sluice.yaml").read_text()
    lines = [re.sub(r"(^|\s)#.*", "", line).rstrip() for line in text.splitlines()]
    lines = [(len(line) - len(line.lstrip()), line.lstrip()) for line in lines if line]
    return block(lines, 0), set(FIELD.findall(text)) | {"allow_file"}  # beside deny_file


def overlay(below, above):
    """above, and of below what it does not say; the things of lists one by one."""
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {key: overlay(below.get(key), value) for key, value in above.items()}
    if isinstance(below, list) and isinstance(above, list) and above and below and isinstance(
            above[0], dict):
        return [overlay(below[i] if i < len(below) and i < 1 else None, one)
                for i, one in enumerate(above)]
    return above


def whole(lab, nodes):
    """The documented config, with values other than the defaults where they can be had."""
    lists = {"deny": ["198.51.100.0/24"], "allow": ["198.51.100.7/32"],
             "deny_file": lab.path("deny.txt"), "allow_file": lab.path("allow.txt")}
    for name in ("deny", "allow"):
        with open(lab.path(f"{name}.txt"), "w", encoding="utf-8") as file:
            file.write("203.0.113.1 # one\n" if name == "deny" else "203.0.113.2\n")
    with open(lab.write_config([], attach=True, seed=7, metrics="", socket_group="root",
                               executables=["/"]), encoding="utf-8") as file:
        base = json.load(file)
    web = {
        **service(lab), "tracking": "full", "affinity": "source", "scheduler": "round_robin",
        "empty": "pass", "unknown_port": "pass", "quic": False, "quic_id_length": 0,
        "quic_id_offset": 1, "quic_id_config": 0, "grace_ms": 9000, "drain_ms": 250000,
        "backends": [{**backend(nodes[0]), "weight": 90},
                     {**backend(nodes[1]), "weight": 80, "port": 8080, "drain": True, "maint": True}],
        "autoscale": {"provisioner": lab.provisioner, "options": ["bridge=none"],
                      "signal": "new_flows", "target": 70.5,
                      "targets": {"packets": 20000, "bytes": 1e6, "cpu": 70, "memory": 80,
                                  "custom": 10, "live_flows": 4000}, "min": 1, "max": 7, "step_down": 2,
                      "creating_max": 3, "hold_ms": 31000, "drain_ms": 32000,
                      "call_timeout_ms": 33000, "paused": True},
        "guard": {**lists, "new_flow_limit": {"rate": 100000, "burst": 200000, "prefix4": 24,
                                              "prefix6": 56}},
        "health": {"type": "https", "method": "HEAD", "path": "/up", "host": "web.example",
                   "status": "200,301-302", "body": "ok", "tls_verify": False,
                   "ca_file": "/nowhere/ca.pem", "server_name": "tls.example", "initial": "up"},
    }  # fmt: skip
    health = {"health": {"type": "udp", "port": 53, "payload": "ping", "expect": "pong"},
              "agent_check": {"url": "http://%s:9/load"}}
    return overlay(documented()[0], {
        **base, "guard": lists,
        "timeouts": {"closing_ms": 2000, "probation_ms": 4000, "tcp_idle_ms": 5000,
                     "udp_idle_ms": 6000},
        "icmp": {"echo": "pass", "echo_rate": 10, "error_rate": 20},
        "tunnel": {"gue_port": 6081, "source_prefix4": "198.20.0.0/16",
                   "source_prefix6": "fd00:6080::/64"},
        "services": [web, {**service(lab, "quic", 6, protocol="udp", port="any"), "quic": True,
                           "quic_id_length": 4, "quic_id_offset": 2, "quic_id_config": 3, **health},
                     {**service(lab, "exec"), "port": 81, "unknown_port": "pass",
                      "health": {"type": "exec", "command": "/bin/true"},
                      "autoscale": {"provisioner": lab.provisioner, "target": 9, "min": 0,
                                    "targets": {"new_flows": 8}, "paused": True}}],
    })  # fmt: skip


def write(lab, name, config):
    path = lab.path(name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(config if isinstance(config, str) else json.dumps(config))
    return path


def contains(found, wanted, where=""):
    """Every field of wanted is in found with its value."""
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            contains(found[key], value, f"{where}.{key}")
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), (where, found, wanted)
        for number, value in enumerate(wanted):
            contains(found[number], value, f"{where}[{number}]")
    else:
        assert found == wanted, (where, found, wanted)


def differences(lab, status=3, *words):
    done = lab.sluice("diff", "--json", *words, check=False)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    answer = json.loads(done.stdout)
    return {(one["interface"], one["service"], one["backend"], one["field"]):
            (one["config"], one["running"]) for one in answer["differences"]}, answer["guard"]


def set_everything(lab, nodes):
    """Every kind of change that people can make at run time."""
    for words in (
            ("backend", "weight", "web", "web-1", "20"),
            ("backend", "drain", "web", "web-1", "--deadline", "1h"),
            ("backend", "undrain", "web", "web-2"),
            ("backend", "maint", "web", "web-1"),
            ("backend", "ready", "web", "web-2"),
            ("backend", "add", "web", "web-3", nodes[2].target, "--weight", "5"),
            ("scale", "set", "web", "--max", "9", "--target", "71"),
            ("scale", "resume", "web"),
            ("service", "add", "more", "--vip", "203.0.113.90", "--protocol", "udp", "--port",
             "53"),
            ("guard", "deny", "192.0.2.0/24"),
            ("guard", "rm", "203.0.113.1"),
            ("attach", "eth1")):
        lab.sluice(*words)


@case("control/dump: every field of docs/sluice.yaml is written as it is in force, and read again")
def dump_every_field(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 2)
        config = whole(lab, nodes)
        fields = documented()[1]
        assert fields <= keys(config), fields - keys(config)
        path = write(lab, "whole.yaml", config)
        lab.start_agent(path)
        contains(lab.sluice_json("config", "dump"), config)
        assert differences(lab, 0) == ({}, [])
        again = write(lab, "again.yaml", lab.sluice("config", "dump").stdout)
        assert lab.sluice("plan", "-f", again).stdout == "no changes\n"
        assert lab.sluice_json("apply", "-f", again)["steps"] == 0
        contains(lab.sluice_json("config", "dump"), config)


@case("control/diff: every run-time change is listed, outlives a reload, and a dump makes it config")
def diff_and_dump(context):
    with open_lab(context) as lab:
        lab.add_back()
        nodes = backends(lab, 3)
        path = write(lab, "whole.yaml", whole(lab, nodes))
        lab.start_agent(path)
        set_everything(lab, nodes)
        found, guard = differences(lab)
        assert {key: value for key, value in found.items() if key[3]} == {
            (None, "web", "web-1", "weight"): (90, 20),
            (None, "web", "web-1", "drain"): (False, True),
            (None, "web", "web-2", "drain"): (True, False),
            (None, "web", "web-1", "maint"): (False, True),
            (None, "web", "web-2", "maint"): (True, False),
            (None, "web", None, "autoscale.max"): (7, 9),
            (None, "web", None, "autoscale.paused"): (True, False),
            (None, "web", None, "autoscale.target"): (70.5, 71)}
        assert sorted(filter(None, (key[0] or key[2] or key[1] for key in found
                                    if not key[3]))) == ["eth1", "more", "web-3"]
        assert [(rule["prefix"], rule["from"], rule["to"]) for rule in guard[0]["rules"]] == [
            ("192.0.2.0/24", "none", "deny"), ("203.0.113.1/32", "deny", "none")]
        text = lab.sluice("diff", check=False).stdout
        assert re.search(r"backend web-3 of web +absent +there\n", text), text
        lab.sluice("apply", "-f", path)
        assert differences(lab) == (found, guard), "a reload forgot something"

        dump = write(lab, "dump.yaml", lab.sluice("config", "dump").stdout)
        assert lab.sluice("config", "check", dump).returncode == 0
        assert differences(lab, 0, "-f", dump) == ({}, [])
        assert lab.sluice_json("apply", "-f", dump) == {"steps": 0, "slots_moved": 0}
        assert differences(lab, 0) == ({}, [])
        assert {one["origin"] for one in lab.service("web")["backends"]} == {"config"}
        assert lab.sluice("diff", "-f", path, check=False).returncode == 3


@case("control/backend show: what is configured, set and found, each apart, and what comes of it")
def backend_show(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 2)
        lab.start_agent(lab.write_config([service(lab, backends=nodes)]))
        wait_reachable(lab)

        def shown(name="web-1"):
            text = lab.sluice("backend", "show", "web", name).stdout
            context.log(text)
            parts = re.split(r"^(configured|administrative.*|operational)\n", text, flags=re.M)
            return {parts[i].split()[0]: parts[i + 1] for i in range(1, len(parts), 2)}, text
        parts, text = shown()
        assert re.search(r"weight +100\n", parts["configured"]) and "nothing" in parts[
            "administrative"] and re.search(r"state +active\n", parts["operational"])
        assert "it takes new and existing flows; weight 100, nothing was set" in text
        lab.sluice("backend", "weight", "web", "web-1", "0")
        parts, text = shown()
        assert re.search(r"weight +100\n", parts["configured"])
        assert re.search(r"weight +0\n", parts["administrative"])
        assert "it takes existing flows only; weight 0 set at run time" in text
        lab.sluice("backend", "drain", "web", "web-1", "--deadline", "1h")
        parts, text = shown()
        assert re.search(r"drain +drain\n", parts["administrative"])
        assert "deadline" in parts["administrative"] and "draining" in parts["operational"]
        assert "it drains, told at run time" in text
        lab.sluice("backend", "add", "web", "web-3", "198.18.200.1")
        parts, text = shown("web-3")
        assert "added at run time, not in the config" in parts["configured"]
        wait_for("web-3 is known to be unreachable", lambda: "it takes no packets; " in shown(
            "web-3")[1])


@case("control/diff: a table of where, field, config and running; nothing is status 0", root=False)
def diff_text(context):
    with fake_agent(context.tmp / "s") as agent:
        agent.on("GET", "/v1/diff", {"differences": [], "guard": []})
        assert succeeds(context, "diff", agent=agent).stdout == "no differences\n"
