# SPDX-License-Identifier: GPL-2.0-only
"""What people and hosts do wrong: one clear message, an exit status, and nothing has changed."""

import contextlib
import json
import os
import re
import socket
import subprocess

from lib.cases import case
from lib.world import (VIP, LabError, backend, backends, execute, fetch, open_lab, service, start, url,
                       wait_for)


def snapshot(lab):
    """What must not change: services, pools and tables."""
    return [{key: one[key] for key in one if key not in ("packets", "bytes", "new_flows")} |
            {"backends": [{key: each[key] for key in ("name", "address", "weight_effective",
                                                      "state", "share")}
                          for each in one["backends"]]}
            for one in lab.api("GET", "/v1/services")["services"]]


def one_message(done, status, *patterns):
    """The command failed, printed no data, and said each of the patterns in one line."""
    text = done.stderr.strip()
    assert done.returncode == status, (done.returncode, done.stdout, text)
    assert not done.stdout.strip(), done.stdout
    for pattern in patterns:
        assert re.search(pattern, text), (pattern, text)
    assert len(text.splitlines()) <= 2, text
    assert "Sanitizer" not in text


def refused_start(lab, config, *patterns, before=(), status=1):
    """sluiced with this config says why not and ends. `before`: a command to run it by."""
    done = lab.lb.run(*before, lab.sluiced, "--config", config, check=False)
    text = done.stderr + done.stdout
    assert done.returncode == status, (done.returncode, text)
    for pattern in patterns:
        assert re.search(pattern, text), (pattern, text)


CONFIG = """\
services:
  - name: web
    vip: 203.0.113.80
    protocol: tcp
    port: 80
    backends:
      - name: web-1
        address: 198.18.1.0
        weight: 100
"""
WRONG = [
    # what is replaced, by what, the line that is to blame, words of the message
    ("port: 80", "port: 70000", 5, "70000"),
    ("port: 80", "port: -1", 5, "-1"),
    ("port: 80", "port: eighty", 5, "eighty"),
    ("weight: 100", "weight: 1001", 9, "1001"),
    ("weight: 100", "mass: 100", 9, "mass"),
    ("vip: 203.0.113.80", "vip: 203.0.113.800", 3, r"203\.0\.113\.800"),
    ("protocol: tcp", "protocol: sctp", 4, "sctp"),
    ("name: web\n", "name: Web!\n", 2, "Web!"),
    ("        address: 198.18.1.0\n", "", 7, "address"),
    ("        weight: 100\n", "      - name: web-1\n        address: 198.18.1.9\n", 9, "web-1"),
    ("        weight: 100\n", "      - name: web-2\n        address: 198.18.1.0\n", 10,
     r"198\.18\.1\.0"),
    ("    protocol: tcp\n", "    protocol: tcp\n    mode: gre\n", 5, "gre"),
    ("services:\n", "services:\n  - [\n", None, ""),
    ("services:\n", "services: 7\n", None, ""),
    ("protocol: tcp", "protocol: tcp\n\tport: 80", 5, ""),
]


@case("e2e/wrong config: file, line, column and cause; what is running goes on")
def wrong_config(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        before = snapshot(lab)
        path = lab.path("wrong.yaml")
        for old, new, line, word in WRONG:
            with open(path, "w", encoding="utf-8") as file:
                assert old in CONFIG
                file.write(CONFIG.replace(old, new))
            where = rf"wrong\.yaml:{line or '[0-9]+'}:[0-9]+: .*{word}"
            one_message(lab.sluice("config", "check", path, check=False), 1, where)
            one_message(lab.sluice("apply", "-f", path, check=False), 1, where)
            refused_start(lab, path, where)
            assert snapshot(lab) == before, new
        assert fetch(lab.client, url()).stdout == "web-1\n"
        one_message(lab.sluice("apply", "-f", lab.path("none.yaml"), check=False), 1, "none.yaml")
        refused_start(lab, lab.path("none.yaml"), "none.yaml.*; write it .* --config")
        done = execute(lab.sluiced, "--cleanup", "--config", lab.write_config([], seed="x"),
                       check=False)
        assert done.returncode == 1 and "--config /dev/null" in done.stderr, done.stderr
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIG)
        assert lab.sluice("config", "check", path).returncode == 0


@case("e2e/bad calls of the CLI: usage is status 2, the agent's no is status 1, nothing changes")
def bad_calls(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        before = snapshot(lab)
        for status, pattern, *words in [
                (1, "nope0", "attach", "nope0"),
                (1, "nope0", "detach", "nope0"),
                (1, "none", "service", "show", "none"),
                (1, "none", "service", "rm", "none"),
                (1, "none", "backend", "rm", "web", "none"),
                (1, "none", "backend", "add", "none", "web-2", "198.18.1.9"),
                (1, "web-1", "backend", "add", "web", "web-1", "198.18.1.9"),
                (1, r"198\.18\.1\.0", "backend", "add", "web", "web-2",
                 lab.backends["web-1"].target),
                (1, "web", "service", "add", "web", "--vip", VIP[4], "--protocol", "tcp",
                 "--port", "81"),
                (1, "web", "service", "add", "web2", "--vip", VIP[4], "--protocol", "tcp",
                 "--port", "80"),
                (1, "web", "scale", "pause", "web"),
                (2, "1001", "backend", "weight", "web", "web-1", "1001"),
                (2, "-1", "backend", "weight", "web", "web-1", "-1"),
                (2, "heavy", "backend", "weight", "web", "web-1", "heavy"),
                (2, "65536", "backend", "add", "web", "web-2", "198.18.1.9", "--port", "65536"),
                (2, "70000", "service", "add", "x", "--vip", VIP[4], "--protocol", "tcp",
                 "--port", "70000"),
                (2, "198.18.1.900", "backend", "add", "web", "web-2", "198.18.1.900"),
                (2, "explode", "explode"),
                (2, "explode", "backend", "explode"),
                (2, "BACKEND", "backend", "rm", "web"),
                (2, "--heavy", "backend", "ls", "web", "--heavy")]:
            one_message(lab.sluice(*words, check=False), status, pattern)
            assert snapshot(lab) == before, words
        one_message(execute(lab.sluice_path, "--socket", lab.path("none.sock"), "status",
                            check=False), 1, "none.sock")


@case("e2e/the API refuses what is wrong with 4xx and a reason, and goes on")
def bad_requests(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        before = snapshot(lab)
        for status, method, path, body in [
                (400, "POST", "/v1/services/web/backends", "{"),
                (400, "POST", "/v1/services/web/backends", "[]"),
                (400, "POST", "/v1/services/web/backends", '{"name": "web-2"}'),
                (400, "POST", "/v1/services/web/backends",
                 '{"name": "web-2", "address": "198.18.1.9", "weight": 1001}'),
                (400, "POST", "/v1/services/web/backends",
                 '{"name": "web-2", "address": "198.18.1.9", "port": 65536}'),
                (400, "POST", "/v1/services/web/backends",
                 '{"name": "web-2", "address": "198.18.1.9", "colour": "red"}'),
                (400, "PUT", "/v1/services/web/backends/web-1/weight", '{"weight": -1}'),
                (400, "PUT", "/v1/services/web/backends/web-1/weight", '{"weight": 1001}'),
                (404, "PUT", "/v1/services/web/backends/none/weight", '{"weight": 1}'),
                (404, "GET", "/v1/services/none", None),
                (404, "GET", "/v2/status", None),
                (409, "POST", "/v1/services/web/backends",
                 '{"name": "web-1", "address": "198.18.1.9"}'),
                (400, "POST", "/v1/services", '{"name": "x", "vip": "x"}'),
                (400, "POST", "/v1/config?name=x.yaml", "services: 7")]:
            done = execute("curl", "-sS", "--unix-socket", lab.socket, "-X", method, "-w",
                           "\n%{http_code}", *(["--data-binary", body] if body else []),
                           f"http://sluice{path}")
            text, code = done.stdout.rsplit("\n", 1)
            assert int(code) == status, (method, path, body, done.stdout)
            assert json.loads(text)["error"], text
            assert snapshot(lab) == before, (method, path, body)
        assert execute("curl", "-sS", "--unix-socket", lab.socket, "-X", "DELETE", "-o",
                       "/dev/null", "-w", "%{http_code}",
                       "http://sluice/v1/status").stdout in ("404", "405")


@case("e2e/unknown interface: sluiced names it and ends, and leaves no pin")
def unknown_interface(context):
    with open_lab(context) as lab:
        config = lab.write_config([])
        with open(config, encoding="utf-8") as file:
            text = file.read().replace('"eth0"', '"nope0"')
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        refused_start(lab, config, "nope0")
        assert not os.path.exists(lab.pin_dir) or not os.listdir(lab.pin_dir)


@case("e2e/second agent on the same pins is refused; the first goes on")
def second_agent(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 1)
        start(lab, [service(lab, backends=nodes)])
        before = snapshot(lab)
        other = lab.write_config([], "other.yaml", socket=lab.path("other.sock"),
                                 state_dir=lab.path("other"), metrics="")
        refused_start(lab, other, re.escape(lab.pin_dir))
        refused_start(lab, lab.agent.config, re.escape(lab.id))
        assert snapshot(lab) == before
        assert fetch(lab.client, url()).stdout == "web-1\n"
        assert lab.agent.process.poll() is None


@case("e2e/taken metrics address, and a socket folder that is not there: said, nothing changed")
def places(context):
    with open_lab(context) as lab:
        config = lab.write_config([], metrics=f"{lab.lb.address()}:9981",
                                  metrics_remote=True)
        lab.lb.spawn("/usr/bin/python3", "-m", "http.server", "9981", stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL)
        wait_for("the address is taken", lambda: lab.lb.run(
            "ss", "-Hltn", "sport = :9981").stdout)
        refused_start(lab, config, "9981")
        refused_start(lab, lab.write_config([], pin_dir=lab.path("nobpf")), "nobpf")
        refused_start(lab, lab.write_config([], socket="/proc/none/sluice.sock"), "/proc/none")


@case("e2e/no root: sluiced says so and ends")
def no_root(context):
    with open_lab(context) as lab:
        config = lab.write_config([service(lab, backends=[lab.add_backend("web-1", VIP[4])])])
        os.chmod(lab.folder, 0o755)
        refused_start(lab, config, "root|CAP_", before=(
            "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"))
        start(lab, [service(lab, backends=lab.backends.values())])
        done = execute("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                       lab.sluice_path, "--socket", lab.socket, "status", check=False)
        one_message(done, 1, "[Pp]ermission")


@case("e2e/a kernel that refuses BPF: sluiced says so and ends")
def no_bpf(context):
    with open_lab(context) as lab:
        config = lab.write_config([service(lab, backends=[lab.add_backend("web-1", VIP[4])])])
        gone = "-bpf,-sys_admin,-perfmon"
        refused_start(lab, config, "BPF|CAP_", before=(
            "setpriv", f"--bounding-set={gone}", f"--inh-caps={gone}"))
        assert backend(lab.backends["web-1"])["address"]


@case("e2e/connections whose bytes only trickle do not keep others out of the API for good",
      soak=True)
def trickle(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        slow = []
        for _ in range(64):
            slow.append(socket.socket(socket.AF_UNIX))
            slow[-1].connect(lab.socket)
            slow[-1].send(b"GET /v1/status HTTP/1.1\r\nX: ")

        def answers():
            for one in slow:
                with contextlib.suppress(OSError):
                    one.send(b"x")
            try:
                return lab.sluice("status", check=False, timeout=2).returncode == 0
            except LabError:
                return False
        wait_for("the API answers although all its connections are taken", answers, 60)
