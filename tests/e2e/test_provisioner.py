# SPDX-License-Identifier: GPL-2.0-only
"""The reference provisioner tools/provisioners/netns by itself, as docs/PROVISIONERS.md says."""

import concurrent.futures
import json
import os
import signal
import subprocess
import time

from lib.cases import case
from lib.world import PROVISIONER, VIP, execute, fetch, open_lab, url, wait_for

SERVICE = {"name": "web", "vip": VIP[4], "protocol": "tcp", "port": 80, "mode": "l2"}


def call(lab, verb, name=None, owner="me", service=None, **options):
    request = {"owner": owner, "spec": lab.options(**options)}
    if name:
        request.update(name=name, service={**SERVICE, **(service or {})})
    return lab.provision(verb, check=False, **request)


def refused(done, status, *words):
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == "", done.stdout
    for word in words:
        assert word in done.stderr, (word, done.stderr)
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def names(lab, owner="me"):
    answer = json.loads(call(lab, "list", owner=owner).stdout)
    return [one["name"] for one in answer["backends"]]


def namespaces(lab):
    known = {lab.prefix + name for name in ("switch", "lb", "client")}
    return {name for name in os.listdir("/run/netns") if name.startswith(lab.prefix)} - known


@case("e2e/netns provisioner: a backend is created, serves, is listed and deleted")
def life(context):
    with open_lab(context) as lab:
        verbs = json.loads(execute(PROVISIONER, "capabilities", text='{"owner": "me"}').stdout)
        assert set(verbs["verbs"]) == {"capabilities", "create", "delete", "list"}
        first = json.loads(call(lab, "create", "web-1").stdout)
        again = json.loads(call(lab, "create", "web-1").stdout)
        other = json.loads(call(lab, "create", "web-1", owner="other", prefix=lab.prefix + "o-")
                           .stdout)
        assert first == again and first["name"] == "web-1", (first, again)
        assert first["address"] != other["address"], (first, other)
        assert names(lab) == ["web-1"] and names(lab, "other") == ["web-1"]
        lab.client.ip(f"route replace {VIP[4]} via {first['address']}")
        assert fetch(lab.client, url()).stdout == "web-1\n"
        assert len(fetch(lab.client, url(path="/big")).stdout) == 262144
        for _ in range(2):
            assert json.loads(call(lab, "delete", "web-1").stdout) == {}
        assert names(lab) == [] and names(lab, "other") == ["web-1"]
        assert fetch(lab.client, url(), "--connect-timeout", "1", check=False).returncode
        call(lab, "delete", "web-1", owner="other", prefix=lab.prefix + "o-")
        assert not namespaces(lab), namespaces(lab)
        assert "veth" not in execute("ip", "-netns", lab.switch.namespace, "-br", "link",
                                     "show", "master", "br0").stdout.replace("lb@", "")


@case("e2e/netns provisioner: another spec for a name that is there is a conflict")
def conflict(context):
    with open_lab(context) as lab:
        assert call(lab, "create", "web-1").returncode == 0
        refused(call(lab, "create", "web-1", service={"port": 81}), 14, "web-1", "different")
        refused(call(lab, "create", "web-1", mtu=1400), 14, "web-1", "different")
        assert call(lab, "create", "web-1").returncode == 0


@case("e2e/netns provisioner: what is asked wrongly is refused with its reason")
def wrong(context):
    with open_lab(context) as lab:
        refused(execute(PROVISIONER, "create", text="{", check=False), 12, "not JSON")
        refused(execute(PROVISIONER, "create", text="[]", check=False), 12, "not a JSON object")
        refused(execute(PROVISIONER, "explode", text="{}", check=False), 12, "usage")
        refused(lab.provision("create", check=False, owner="me", name="web-1"), 12, "spec")
        refused(lab.provision("list", check=False, owner="me", spec={}), 12, "bridge_ns")
        refused(call(lab, "create", "web-1", colour="red"), 12, "colour", "unknown")
        refused(call(lab, "create", "../web"), 12, "name")
        refused(call(lab, "create", "web-1", bridge_ns="none"), 12, "bridge_ns", "none")
        refused(call(lab, "create", "web-1", subnet4="198.18.0.1/16"), 12, "subnet4")
        refused(call(lab, "create", "web-1", family=5), 12, "family")
        refused(call(lab, "create", "web-1", mtu="big"), 12, "mtu", "big")
        refused(call(lab, "create", "web-1", service={"vip": "web"}), 12, "vip")
        refused(call(lab, "create", "web-1", service={"protocol": "udp"}), 12, "udp")
        refused(call(lab, "create", "web-1", service={"port": 65536}), 12, "port")
        refused(call(lab, "create", "web-1", service={"mode": "ipip"}, objects="/nowhere"),
                12, "decap.bpf.o")
        refused(call(lab, "create", "web-1", nginx="/nowhere/nginx"), 10, "nginx")
        call(lab, "delete", "web-1")
        assert not namespaces(lab) and names(lab) == []


@case("e2e/netns provisioner: at its limit it answers quota")
def quota(context):
    with open_lab(context) as lab:
        assert call(lab, "create", "web-1", count=1).returncode == 0
        refused(call(lab, "create", "web-2", count=1), 11, "web-2", "in use")
        call(lab, "delete", "web-1", count=1)
        assert call(lab, "create", "web-2", count=1).returncode == 0


@case("e2e/netns provisioner: calls at the same time neither collide nor repeat an address")
def concurrent_calls(context):
    with open_lab(context) as lab, concurrent.futures.ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(call, lab, "create", f"web-{number % 4}") for number in range(8)]
        answers = [json.loads(job.result().stdout) for job in jobs]
        assert len({one["address"] for one in answers}) == 4, answers
        assert names(lab) == [f"web-{number}" for number in range(4)]
        list(pool.map(lambda number: call(lab, "delete", f"web-{number % 4}"), range(8)))
        assert names(lab) == [] and not namespaces(lab)


@case("e2e/netns provisioner: a call killed at any point can be repeated, listed and deleted")
def killed(context):
    with open_lab(context) as lab:
        for step in range(12):
            name = f"web-{step}"
            request = {"owner": "me", "name": name, "service": SERVICE, "spec": lab.options()}
            process = subprocess.Popen([PROVISIONER, "create"], stdin=subprocess.PIPE, text=True,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       start_new_session=True)
            process.stdin.write(json.dumps(request))
            process.stdin.close()
            time.sleep(step * 0.01)  # where it is then does not matter, only that it varies
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if step % 2:
                done = call(lab, "create", name)
                assert done.returncode == 0, done.stderr
                assert name in names(lab)
            assert call(lab, "delete", name).returncode == 0
            assert name not in names(lab)
        wait_for("no namespace is left", lambda: not namespaces(lab))


SLOW_READER = """
import socket, sys, time
with socket.socket() as one:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    one.settimeout(20)
    one.connect((sys.argv[1], 80))
    one.send(b"GET /big HTTP/1.1\\r\\nHost: vip\\r\\nConnection: close\\r\\n\\r\\n")
    got = one.recv(4096)
    print("begun", flush=True)
    while piece := one.recv(4096):
        got += piece
        time.sleep(0.01)
    print(len(got.split(b"\\r\\n\\r\\n", 1)[1]))
"""


@case("e2e/netns provisioner: nginx finishes what it is answering before its backend goes")
def graceful(context):
    with open_lab(context) as lab:
        node = lab.add_backend("web-1", VIP[4])
        lab.client.ip(f"route replace {VIP[4]} via {node.address()}")
        slow = lab.client.spawn("/usr/bin/python3", "-c", SLOW_READER, VIP[4],
                                stdout=subprocess.PIPE, text=True)
        assert slow.stdout.readline() == "begun\n"
        lab.remove_backend("web-1")
        assert slow.communicate(timeout=30)[0] == "262144\n"
