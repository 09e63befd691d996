# SPDX-License-Identifier: GPL-2.0-only
"""The command against an agent of known answers: requests, output, errors, exit status."""

import json
import os
import pty
import socket

from lib.cases import case
from lib.command import sluice, succeeds, usage_error
from lib.fake_agent import fake_agent

BACKEND = {
    "name": "web-1", "address": "192.0.2.11", "port": 0, "weight": 100, "weight_runtime": None,
    "weight_effective": 100, "state": "active", "origin": "config", "reachable": True,
    "nexthop": {"interface": "eth0", "mac": "02:00:00:00:00:01"}, "share": 0.5,
    "packets": 1234567, "bytes": 98765432, "new_flows": 4321, "live_flows": 17, "drain": None,
    "note": None,
}  # fmt: skip
DRAINING = BACKEND | {
    "name": "web-2", "address": "2001:db8::12", "state": "draining", "weight_runtime": 20,
    "share": 0, "live_flows": 3, "drain": {
        "deadline_in_s": 95, "eta_s": 12,
        "stragglers": {"flows": 3, "idle_min_s": 2.2, "idle_max_s": 300}},
    "reachable": False,
}  # fmt: skip
SERVICE = {
    "name": "web", "vip": "192.0.2.80", "protocol": "tcp", "port": 80, "mode": "l2",
    "tracking": "full", "affinity": "flow", "scheduler": "maglev", "empty": "drop",
    "unknown_port": "drop", "quic": False,
    "grace_ms": 10000, "drain_ms": 300000, "backends_max": 128, "origin": "config",
    "slots": 65537, "generation": 7, "digest": "00ff", "unsettled": 12, "packets": 2469134,
    "bytes": 197530864, "new_flows": 8642,
    "autoscale": {"signal": "packets", "target": 1000, "min": 1, "max": 8},
    "backends": [BACKEND, DRAINING],
}  # fmt: skip
STATUS = {
    "version": "0.1.0", "abi": 1, "pid": 42, "uptime_s": 3725, "pin_dir": "/sys/fs/bpf/sluice",
    "config": None, "interfaces": [{"name": "eth0", "ifindex": 2, "mode": "native"}],
    "services": 1, "backends": 2,
    "flows": {"capacity": 1048576, "live": 20971, "evicted_closing": 1, "evicted_probation": 2,
              "evicted_proven": 3, "rejects": 4},
    "verdicts": [
        {"name": "forward_l2", "packets": 7, "bytes": 420, "meaning": "to a backend"},
        {"name": "drop_malformed", "packets": 0, "bytes": 0, "meaning": "lengths are wrong"},
    ],
}  # fmt: skip
SCALE = {
    "service": "web", "signal": "packets", "target": 1000, "min": 1, "max": 8, "paused": False,
    "demand": 2345.6, "estimate": 2345.6, "need": 3, "active": 2, "provisioning": 1,
    "draining": 0, "deleting": 0, "why": "up", "text": "2346 packets/s need 3 backends",
    "provisioner": "/bin/true",
}  # fmt: skip


def columns(text, *titles):
    """The rows of the table that starts with these titles."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.split()[: len(titles)] == list(titles))
    return [line.split() for line in lines[start + 1 :] if line]


@case("e2e/cli: status shows the agent, its interfaces, flows and verdicts", root=False)
def status(context):
    with fake_agent(context.tmp / "s") as agent:
        agent.on("GET", "/v1/status", STATUS)
        done = succeeds(context, "status", agent=agent)
        assert "pid 42, up 1h2m" in done.stdout and "eth0 (native)" in done.stdout
        assert "20971 live of 1.05M (2.0%)" in done.stdout and done.stderr == ""
        assert columns(done.stdout, "VERDICT")[0][:2] == ["forward_l2", "7"]
        assert "drop_malformed" not in done.stdout
        assert "drop_malformed" in succeeds(context, "status", "--all", agent=agent).stdout


READERS = {
    ("status",): ("/v1/status", STATUS),
    ("service", "ls"): ("/v1/services", {"services": [SERVICE]}),
    ("service", "show", "web"): ("/v1/services/web", SERVICE),
    ("backend", "ls", "web"): ("/v1/services/web/backends", {"backends": [BACKEND, DRAINING]}),
    ("scale", "show"): ("/v1/scale", {"scale": [SCALE]}),
    ("scale", "show", "web"): ("/v1/scale/web", SCALE),
    ("flows", "--limit", "5"): ("/v1/flows?limit=5", {"matched": 0, "states": {}, "flows": []}),
}


@case("e2e/cli: every reader prints the agent's answer as JSON", root=False)
def readers_json(context):
    with fake_agent(context.tmp / "s") as agent:
        for words, (path, answer) in READERS.items():
            agent.on("GET", path, answer)
            done = succeeds(context, *words, "--json", agent=agent)
            assert json.loads(done.stdout) == answer and done.stderr == ""
            assert agent.last() == ("GET", path, None)
    assert json.loads(succeeds(context, "version", "--json").stdout)["version"]


@case("e2e/cli: every reader fails with the agent's own words", root=False)
def readers_fail(context):
    with fake_agent(context.tmp / "s") as agent:
        for words, (path, _) in READERS.items():
            agent.on("GET", path, {"error": "web: no such service; see 'service ls'"}, 404)
            done = sluice(context, *words, agent=agent)
            assert done.returncode == 1 and done.stdout == ""
            assert done.stderr == "sluice: web: no such service; see 'service ls'\n"


@case("e2e/cli: service ls aligns its columns and counts active backends", root=False)
def service_ls(context):
    long = SERVICE | {"name": "a-much-longer-name", "vip": "2001:db8::80", "port": "any"}
    with fake_agent(context.tmp / "s") as agent:
        agent.on("GET", "/v1/services", {"services": [SERVICE, long]})
        done = succeeds(context, "service", "ls", agent=agent)
        lines = done.stdout.splitlines()
        assert len({line.index(word) for line, word in zip(lines, ["VIP", "192", "2001"])}) == 1
        rows = columns(done.stdout, "NAME", "VIP")
        assert rows[0] == "web 192.0.2.80 tcp 80 l2 maglev 1 of 2 8642 2.47M 188 MiB config".split()
        assert rows[1][:4] == ["a-much-longer-name", "2001:db8::80", "tcp", "any"]


@case("e2e/cli: service show has the slot table and the backends", root=False)
def service_show(context):
    with fake_agent(context.tmp / "s") as agent:
        agent.on("GET", "/v1/services/web", SERVICE)
        out = succeeds(context, "service", "show", "web", agent=agent).stdout
        assert "65537 slots, generation 7, digest 00ff, 12 unsettled" in out
        assert "1 to 8 backends, target 1000 packets/s" in out and "grace 10s, drain 5m0s" in out
        assert [row[0] for row in columns(out, "NAME", "ADDRESS")] == ["web-1", "web-2"]


@case("e2e/cli: backend ls shows weights, shares, live flows and drains", root=False)
def backend_ls(context):
    with fake_agent(context.tmp / "s") as agent:
        agent.on("GET", "/v1/services/web/backends", {"backends": [BACKEND, DRAINING]})
        out = succeeds(context, "backend", "ls", "web", agent=agent).stdout
        assert "1m35s left, done in about 12s, 3 stragglers, idle 2s to 5m0s" in out and "next hop is not known" in out
        rows = columns(out, "NAME", "ADDRESS", "WEIGHT")
        assert rows[0][:6] == ["web-1", "192.0.2.11", "100", "active", "50.0%", "17"]
        assert rows[1][2:6] == ["20", "(100)", "draining", "0.0%"]
        assert "\033" not in out and all(line == line.rstrip() for line in out.splitlines())


@case("e2e/cli: an empty list still has its titles", root=False)
def empty_list(context):
    with fake_agent(context.tmp / "s") as agent:
        agent.on("GET", "/v1/services/web/backends", {"backends": []})
        out = succeeds(context, "backend", "ls", "web", agent=agent).stdout
        assert out.split()[:2] == ["NAME", "ADDRESS"] and out.count("\n") == 1


@case("e2e/cli: states have colours on a terminal only, and not with NO_COLOR", root=False)
def colours(context):
    def on_terminal(agent, env, *more):
        ours, theirs = pty.openpty()
        done = sluice(context, "backend", "ls", "web", *more, agent=agent, env=env, stdout=theirs)
        os.close(theirs)
        assert done.returncode == 0
        text = b""
        try:
            while chunk := os.read(ours, 65536):
                text += chunk
        except OSError:  # a terminal whose other end is closed
            pass
        os.close(ours)
        return text.decode()

    with fake_agent(context.tmp / "s") as agent:
        agent.on("GET", "/v1/services/web/backends", {"backends": [BACKEND]})
        terminal = {"TERM": "xterm"}
        assert "\033[32mactive\033[0m" in on_terminal(agent, terminal)
        assert "\033" not in on_terminal(agent, terminal | {"NO_COLOR": "1"})
        assert "\033" not in on_terminal(agent, terminal, "--color=never")
        assert "\033[32m" in on_terminal(agent, {"NO_COLOR": "1"}, "--color", "always")
        words = ("backend", "ls", "web", "--color=always")
        assert "\033[32m" in succeeds(context, *words, agent=agent).stdout
        words = ("--color", "auto", *words[:3])
        assert "\033" not in succeeds(context, *words, agent=agent).stdout
    usage_error(context, "status", "--color=blue", says=["--color: 'blue'", "auto, always, never"])


CHANGES = [
    # words, method, path, body, what is said
    ("attach eth0", "PUT", "/v1/interfaces/eth0", {"mode": "auto"}, "eth0: attached in native"),
    ("attach eth0 --mode generic", "PUT", "/v1/interfaces/eth0", {"mode": "generic"}, "eth0"),
    ("detach eth0", "DELETE", "/v1/interfaces/eth0", None, "eth0: detached"),
    ("service add web --vip 192.0.2.80 --protocol tcp --port 80", "POST", "/v1/services",
     {"name": "web", "vip": "192.0.2.80", "protocol": "tcp", "port": 80}, "web: added"),
    ("service add dns --vip=2001:db8::53 --protocol=udp -p any --mode ipip --tracking minimal "
     "--affinity source --scheduler maglev --empty pass --quic --grace 5s --drain 2m "
     "--unknown-port pass --backends-max 12", "POST", "/v1/services",
     {"name": "dns", "vip": "2001:db8::53", "protocol": "udp", "port": "any", "mode": "ipip",
      "tracking": "minimal", "affinity": "source", "scheduler": "maglev", "empty": "pass",
      "unknown_port": "pass", "quic": True, "grace_ms": 5000, "drain_ms": 120000,
      "backends_max": 12}, "dns: added"),
    ("service rm web", "DELETE", "/v1/services/web", None, "web: removed"),
    ("backend add web web-3 192.0.2.13", "POST", "/v1/services/web/backends",
     {"name": "web-3", "address": "192.0.2.13"}, "web-3 of web: added"),
    ("backend add web web-3 2001:db8::3 --port 8080 --weight 0", "POST",
     "/v1/services/web/backends",
     {"name": "web-3", "address": "2001:db8::3", "port": 8080, "weight": 0}, "added"),
    ("backend rm web web-3", "DELETE", "/v1/services/web/backends/web-3", None, "removed"),
    ("backend drain web web-2", "POST", "/v1/services/web/backends/web-2/drain", {}, "draining"),
    ("backend drain web web-2 --deadline 5m", "POST", "/v1/services/web/backends/web-2/drain",
     {"deadline_s": 300}, "draining"),
    ("backend drain web web-2 -d 1500ms", "POST", "/v1/services/web/backends/web-2/drain",
     {"deadline_s": 1.5}, "draining"),
    ("backend undrain web web-2", "POST", "/v1/services/web/backends/web-2/undrain", {},
     "takes new flows again"),
    ("backend maint web web-2", "POST", "/v1/services/web/backends/web-2/maint", {},
     "in maintenance"),
    ("backend ready web web-2", "POST", "/v1/services/web/backends/web-2/ready", {},
     "out of maintenance"),
    ("backend weight web web-2 1000", "PUT", "/v1/services/web/backends/web-2/weight",
     {"weight": 1000}, "weight is now 1000"),
    ("scale set web --min 2 --max 10 --target 12.5", "PATCH", "/v1/scale/web",
     {"min": 2, "max": 10, "target": 12.5}, "web: set"),
    ("scale pause web", "POST", "/v1/scale/web/pause", {}, "web: paused"),
    ("scale resume web", "POST", "/v1/scale/web/resume", {}, "web: scales again"),
]  # fmt: skip


@case("e2e/cli: every change sends its request and says what was done on stderr", root=False)
def changes(context):
    with fake_agent(context.tmp / "s") as agent:
        for words, method, path, body, says in CHANGES:
            agent.on(method, path, {"name": "eth0", "mode": "native"})
            done = succeeds(context, *words.split(), agent=agent)
            assert agent.last() == (method, path, body)
            assert done.stdout == "" and says in done.stderr and done.stderr.count("\n") == 1


@case("e2e/cli: every change that the agent refuses fails in its words", root=False)
def changes_refused(context):
    with fake_agent(context.tmp / "s") as agent:
        for words, method, path, _, _ in CHANGES:
            agent.on(method, path, {"error": "web: draining already; wait"}, 409)
            done = sluice(context, *words.split(), agent=agent)
            assert done.returncode == 1 and done.stdout == ""
            assert done.stderr == "sluice: web: draining already; wait\n"


@case("e2e/cli: detach --all detaches every interface", root=False)
def detach_all(context):
    with fake_agent(context.tmp / "s") as agent:
        two = [{"name": "eth0"}, {"name": "eth1"}]
        agent.on("GET", "/v1/status", STATUS | {"interfaces": two})
        for name in ("eth0", "eth1"):
            agent.on("DELETE", f"/v1/interfaces/{name}", {})
        succeeds(context, "detach", "--all", agent=agent)
        assert [path for _, path, _ in agent.requests[1:]] == [
            "/v1/interfaces/eth0",
            "/v1/interfaces/eth1",
        ]


@case("e2e/cli: apply sends the file as it is, and its name", root=False)
def apply(context):
    path = context.tmp / "a b.yaml"
    path.write_text("services: []  # as it is\n")
    with fake_agent(context.tmp / "s") as agent:
        for name in (str(path).replace("/", "%2F").replace(" ", "%20"), "-"):
            agent.on("POST", f"/v1/plan?name={name}", {"steps": 0, "slots_moved": 99})
            agent.on("POST", f"/v1/config?name={name}", {"steps": 4, "slots_moved": 99})
        done = succeeds(context, "apply", "-f", str(path), agent=agent)
        assert agent.requests[-1][2] == path.read_text()
        assert done.stdout == "no changes\n" and "4 steps, 99 slots moved" in done.stderr
        done = succeeds(context, "apply", "-f", "-", agent=agent, stdin="limits: {}\n")
        assert agent.requests[-1][2] == "limits: {}\n"
        done = sluice(context, "apply", "-f", "/does/not/exist", agent=agent)
        assert done.returncode == 1 and "/does/not/exist" in done.stderr
        assert [path.split("?")[0] for _, path, _ in agent.requests] == [
            "/v1/plan", "/v1/config"] * 2


@case("e2e/cli: config check needs no agent and points at the error", root=False)
def config_check(context):
    good, bad = context.tmp / "good.yaml", context.tmp / "bad.yaml"
    good.write_text(
        "services:\n  - name: web\n    vip: 192.0.2.80\n    protocol: tcp\n    port: 80\n"
        "    backends:\n      - name: web-1\n        address: 192.0.2.11\n"
    )
    bad.write_text(good.read_text() + "        weight: 1001\n")
    done = succeeds(context, "config", "check", str(good))
    assert done.stdout == "" and "valid; 0 interfaces, 1 services, 1 backends" in done.stderr
    done = sluice(context, "config", "check", str(bad))
    assert done.returncode == 1 and done.stdout == ""
    assert f"{bad}:9:" in done.stderr and "1001" in done.stderr
    done = sluice(context, "config", "check", "/does/not/exist")
    assert done.returncode == 1 and "/does/not/exist" in done.stderr


@case("e2e/cli: scale show tells demand, need and why", root=False)
def scale_show(context):
    with fake_agent(context.tmp / "s") as agent:
        agent.on("GET", "/v1/scale", {"scale": [SCALE, SCALE | {"service": "b", "paused": True}]})
        rows = columns(succeeds(context, "scale", "show", agent=agent).stdout, "SERVICE", "SIGNAL")
        assert rows[0][:8] == "web packets 2346/s 1000/s 3 1-8 2 1".split()
        assert "up" in rows[0] and "paused" in rows[1]
        agent.on("GET", "/v1/scale", {"scale": []})
        done = succeeds(context, "scale", "show", agent=agent)
        assert done.stdout.startswith("SERVICE") and "no service scales" in done.stderr


@case("autoscale/scale show of one service: the decision with all that it follows from", root=False)
def scale_show_one(context):
    one = SCALE | {
        "dry_run": True, "reason": "schedule", "next": "1 more as creations end", "warming": 1,
        "standby": 2, "lead_s": 90, "signals": [
            {"signal": "packets", "decides": True, "trend": True, "value": 2345.6, "reported": None,
             "estimate": 2300, "window_s": 16, "forecast": 2500, "target": 1000, "need": 3},
            {"signal": "cpu", "decides": False, "trend": False, "value": 130,
             "reported": {"known": 2, "asked": 3}, "estimate": 200, "window_s": 64,
             "forecast": 200, "target": 70, "need": 3},
            {"signal": "memory", "decides": False, "trend": False, "value": None,
             "reported": {"known": 0, "asked": 3}, "estimate": 0, "window_s": 0, "forecast": 0,
             "target": 80, "need": 0}],
        "floors": {"min": 1, "schedule": 3, "yesterday": 2, "first_packet": 0},
        "hold": {"for_s": 300, "left_s": 120, "need": 5},
        "backoff": {"failures": 4, "quota": False, "left_s": 8},
        "unhealthy": {"count": 1, "of": 3, "percent_max": 50},
        "pending": [{"name": "web-sluice-7", "state": "provisioning", "note": "no room"}]}
    with fake_agent(context.tmp / "s") as agent:
        agent.on("GET", "/v1/scale/web", one)
        text = succeeds(context, "scale", "show", "web", agent=agent).stdout
        for words in ("web: up; DRY RUN: what follows is only said, nothing of it is done",
                      "2346 packets/s need 3 backends", "1 more as creations end",
                      "2 active, 1 warming, 1 provisioning, 2 standby; need 3 by schedule",
                      "5m0s, 2m0s left: 5 were needed within it",
                      "min 1, schedule 3, yesterday 2, first packet 0",
                      "1 of 3; above 50% nothing is done",
                      "/bin/true, a backend takes 1m30s to carry its share; failed 4 times in a "
                      "row, asked again in 8s", "web-sluice-7 is provisioning: no room"):
            assert words in text, (words, text)
        rows = columns(text, "SIGNAL", "VALUE")
        assert rows[0] == "packets 2346/s 2300/s 16s 2500/s 1000/s 3 yes, by its trend".split(), rows
        assert rows[1] == "cpu 130% (2 of 3 report) 200% 1m4s 200% 70% 3".split(), rows
        assert rows[2][:5] == "memory unknown (0 of 3".split(), rows


@case("e2e/cli: flows filters, counts and lists", root=False)
def flows(context):
    answer = {
        "matched": 3, "states": {"closing": 0, "probation": 1, "proven": 2},
        "backends": [{"service": "web", "backend": "web-1", "live": 3}],
        "flows": [{"service": "web", "backend": "web-1", "state": "proven", "idle_s": 61,
                   "slot": 5, "tag": "abc"}],
        "client": {"slot": 5, "current": "web-1", "previous": None},
    }  # fmt: skip
    path = "/v1/flows?limit=1&service=web&backend=web-1&client=%5B2001%3Adb8%3A%3A7%5D%3A4000"
    with fake_agent(context.tmp / "s") as agent:
        agent.on("GET", path, answer)
        done = succeeds(
            context, "flows", "-n", "1", "--service", "web", "--backend", "web-1",
            "--client", "[2001:db8::7]:4000", agent=agent,
        )  # fmt: skip
        assert "3: 2 proven, 1 on probation, 0 closing" in done.stdout
        assert columns(done.stdout, "SERVICE", "BACKEND", "STATE") == [
            "web web-1 proven 1m1s 5 abc".split()
        ]
        assert "slot 5: current owner web-1, previous owner -" in done.stdout
        assert "1 of 3 flows are listed" in done.stderr
    usage_error(context, "flows", "--client", "192.0.2.1:1", says="--service: it is missing")


@case("e2e/cli: without an agent there is one message with cause and next step", root=False)
def no_agent(context):
    absent, dead, deaf = (str(context.tmp / name) for name in ("absent", "dead", "deaf"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(dead)
    for path, cause in ((absent, "there is no such socket"), (dead, "nobody listens")):
        done = sluice(context, "status", env={"SLUICE_SOCKET": path})
        assert done.returncode == 1 and done.stdout == ""
        assert path in done.stderr and cause in done.stderr and "start sluiced" in done.stderr
        assert done.stderr.count("\n") == 1
    with fake_agent(deaf) as agent:
        agent.on("GET", "/v1/status", "<html>")
        done = sluice(context, "status", agent=agent)
        assert done.returncode == 1 and "no JSON" in done.stderr
    usage_error(context, "-s", "/tmp/" + "x" * 200, "status", says="longer than the 107")


@case("e2e/cli: the socket is the option's, else the environment's", root=False)
def socket_choice(context):
    with fake_agent(context.tmp / "a") as one, fake_agent(context.tmp / "b") as two:
        for agent in (one, two):
            agent.on("GET", "/v1/status", STATUS)
        succeeds(context, "status", env={"SLUICE_SOCKET": one.socket})
        succeeds(context, "status", "-s", two.socket, env={"SLUICE_SOCKET": one.socket})
        succeeds(context, f"--socket={two.socket}", "status")
        assert len(one.requests) == 1 and len(two.requests) == 2


@case("e2e/cli: a mistyped verb or option is answered with the nearest one", root=False)
def mistyped(context):
    usage_error(context, "statsu", says="did you mean 'sluice status'?")
    usage_error(context, "backend", "darin", says="did you mean 'sluice backend drain'?")
    usage_error(context, "backend", "ls", "web", "--jsn", says="did you mean --json?")
    usage_error(context, "attach", "eth0", "--mdoe", "x", says="did you mean --mode?")
    usage_error(context, "frobnicate", says="no such verb; see 'sluice --help'")
    usage_error(context, "backend", says="its verb is missing; see 'sluice backend --help'")
    usage_error(context, says="verb: it is missing; see 'sluice --help'")
    usage_error(context, "--socket", says="--socket: its value is missing")
    usage_error(context, "--socket=", "status", says="--socket: its value is missing")


@case("e2e/cli: a wrong argument names the thing, the cause and the next step", root=False)
def wrong_arguments(context):
    add = ["service", "add", "web", "--vip", "192.0.2.80", "--protocol", "tcp", "--port"]
    backend = ["backend", "add", "web", "b", "192.0.2.1"]
    wrong = [
        (["backend", "weight", "web", "b", "1001"], "WEIGHT: 1001 is above 1000; use 0 to 1000"),
        (["backend", "weight", "web", "b", "-1"], "WEIGHT: '-1' is not a whole number; use 0"),
        (["backend", "weight", "web", "b", "ten"], "WEIGHT: 'ten' is not a whole number"),
        (["backend", "weight", "web", "b", "9" * 40], "is above 1000"),
        (["backend", "weight", "web", "b"], "WEIGHT: it is missing"),
        (["backend", "weight", "web", "b", "1", "2"], "2: one argument too many"),
        ([*backend, "--weight", "1001"], "--weight: 1001 is above 1000"),
        ([*backend, "--port", "0"], "--port: 0 is below 1; use 1 to 65535"),
        ([*backend, "--port"], "--port: its value is missing"),
        (["backend", "add", "web", "b", "192.0.2.1:80"], "ADDRESS: '192.0.2.1:80' is not an IP"),
        (["backend", "add", "web", "B_", "192.0.2.1"], "BACKEND: 'B_' is not a name"),
        (["backend", "ls", "../x"], "SERVICE: '../x' is not a name"),
        (["backend", "drain", "web", "b", "--deadline", "soon"], "'soon' is not a duration"),
        (["backend", "drain", "web", "b", "--deadline", "9999d"], "longer than a year"),
        ([*add, "65536"], "--port: 65536 is above 65535; use 1 to 65535, or any"),
        ([*add, "80", "--mode", "gre"], "--mode: 'gre' is not one of its words; use one of l2"),
        ([*add, "80", "--quic=yes"], "--quic: it takes no value"),
        (["service", "add", "web", "--vip", "192.0.2.80", "--port", "1"], "--protocol: it is miss"),
        (["attach", "eth0", "--mode", "fast"], "'fast' is not one of its words"),
        (["attach", "eth0/../../x"], "is not a name of an interface"),
        (["detach"], "give either an interface or --all"),
        (["detach", "eth0", "--all"], "give either an interface or --all"),
        (["scale", "set", "web"], "nothing to set"),
        (["scale", "set", "web", "--min", "5", "--max", "4"], "--min: 5 is above --max 4"),
        (["scale", "set", "web", "--target", "0"], "--target: '0' is not a number above 0"),
        (["apply"], "--file: it is missing"),
    ]
    with fake_agent(context.tmp / "s") as agent:
        for words, says in wrong:
            usage_error(context, *words, says=says, agent=agent)
        assert agent.requests == []


@case("e2e/cli: help is there on every level, on stdout", root=False)
def help_everywhere(context):
    top = succeeds(context, "--help").stdout
    assert succeeds(context, "help").stdout == top
    verbs = [line[2:18].strip() for line in top.splitlines() if line.startswith("  ")]
    assert "backend drain" in verbs and len(verbs) >= 20
    for verb in verbs:
        done = succeeds(context, *verb.split(), "--help")
        assert done.stdout.startswith(f"usage: sluice {verb}") and "example: sluice" in done.stdout
        assert done.stderr == "" and succeeds(context, "help", *verb.split()).stdout == done.stdout
    group = succeeds(context, "backend", "--help").stdout
    assert "backend undrain" in group and "service add" not in group


@case("e2e/cli: a reader that has seen enough and goes is no failure", root=False)
def reader_goes(context):
    with fake_agent(context.tmp / "s") as agent:
        agent.on("GET", "/v1/status", STATUS)
        for words in (["status"], ["status", "--json"], ["--help"]):
            reader, writer = os.pipe()
            os.close(reader)
            with open(writer, "w") as pipe:
                done = sluice(context, *words, agent=agent, stdout=pipe)
            assert (done.returncode, done.stderr) == (0, ""), (words, done)


@case("e2e/cli: output that cannot be written is a failure", root=False)
def full(context):
    with fake_agent(context.tmp / "s") as agent, open("/dev/full", "w") as nowhere:
        agent.on("GET", "/v1/status", STATUS)
        for words in (["status"], ["status", "--json"], ["version"]):
            done = sluice(context, *words, agent=agent, stdout=nowhere)
            assert done.returncode == 1 and "cannot be written" in done.stderr
