# SPDX-License-Identifier: GPL-2.0-only
"""The provisioner tools/provisioners/webhook, against a receiver that has netns do the work."""

import contextlib
import json
import os
import sys

from lib.cases import ROOT, case
from lib.provisioned import Plugin, holds, loop
from lib.world import execute, open_lab, wait_for

RECEIVER = os.path.join(ROOT, "tests", "e2e", "lib", "webhook.py")
SECRET = "a secret that nobody is to see"


def write(path, text, mode=0o600):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


@contextlib.contextmanager
def open_receiver(context, **options):
    with open_lab(context) as lab:
        folder = lab.path("receiver")
        os.mkdir(folder)
        write(f"{folder}/secret", SECRET + "\n")
        # In the balancer's namespace, where the agent's provisioners run.
        lab.lb.spawn(sys.executable, RECEIVER, folder, lab.provisioner,
                     json.dumps(lab.options()))
        wait_for("the receiver listens", lambda: os.path.exists(f"{folder}/port"))
        with open(f"{folder}/port", encoding="utf-8") as file:
            port = file.read()
        plugin = Plugin(lab, "webhook", **{"url": f"http://127.0.0.1:{port}/hook?a=b",
                                           "secret_file": f"{folder}/secret", **options})
        plugin.folder = folder
        plugin.command = lab.lb.inside(plugin.path)
        yield lab, plugin


def calls(plugin):
    with open(f"{plugin.folder}/calls", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def ready(lab, plugin):
    """As a script, for `provision test` runs outside of the balancer's namespace."""
    path = lab.path("provisioners", "webhook-there")
    write(path, f"#!/bin/sh\nexec {' '.join(plugin.command)} \"$@\"\n", 0o700)
    there = Plugin(lab, "webhook-there", **plugin.options)
    there.folder = plugin.folder
    return there


@case("autoscale/provisioner webhook: through the agent's loop, with nothing left behind")
def through_the_agent(context):
    with open_receiver(context, **{"spec.mtu": "1500"}) as (lab, plugin):
        agents = Plugin(lab, "webhook", **plugin.options)
        agents.names = lambda owner: ready(lab, plugin).names(owner)
        loop(lab, agents, largest=1)
        made = calls(plugin)
        assert {one["verb"] for one in made} == {"capabilities", "create", "delete", "list"}
        assert all(one["spec"] == {"mtu": "1500"} for one in made), made
        assert not [name for name in os.listdir("/run/netns") if "lab-agent" in name
                    and name.startswith(lab.prefix)]
        assert SECRET not in lab.agent.log_tail(1 << 20)


@case("autoscale/provisioner webhook: holds the contract")
def contract(context):
    with open_receiver(context) as (lab, plugin):
        holds(context, lab, ready(lab, plugin), "sizes", "get", "resize")


@case("autoscale/provisioner webhook: a try that is lost is repeated, by the same key")
def repeated(context):
    with open_receiver(context, timeout_s=1) as (lab, plugin):
        there = ready(lab, plugin)
        for number, trouble in enumerate(("lost", "drop", "503", "429", "hang", "drip")):
            write(f"{plugin.folder}/trouble", trouble)
            there.call("create", f"web-{number}")
            keys = [one["key"] for one in calls(plugin) if one.get("name") == f"web-{number}"]
            assert keys == [f"create/me/web-{number}"] * 2, (trouble, keys)
        assert there.names() == [f"web-{number}" for number in range(6)]
        write(f"{plugin.folder}/trouble", "lost")
        there.call("delete", "web-0")
        # A deletion that finds nothing any more is done.
        write(f"{plugin.folder}/trouble", "404")
        assert there.call("delete", "web-0") == {}
        # Signed anew each time, by a clock; never with the secret in sight.
        assert SECRET not in json.dumps(calls(plugin))


@case("autoscale/provisioner webhook: what the receiver answers becomes the exit status")
def statuses(context):
    with open_receiver(context, tries=2) as (lab, plugin):
        there = ready(lab, plugin)
        for answer, status in (("202", 15), ("400", 12), ("403", 12), ("302", 12), ("409", 14),
                               ("507", 11)):
            write(f"{plugin.folder}/trouble", answer)
            there.refused(status, "create", "web-1", says=[f"HTTP {answer}", "told to say"])
        write(f"{plugin.folder}/trouble", "500 502")
        there.refused(10, "create", "web-1", says="HTTP 502")
        there.call("create", "web-1")
        there.refused(14, "create", "web-1", says="HTTP 409", port=81)
        there.call("delete", "web-1")


@case("autoscale/provisioner webhook: signed with the time, or turned away; the secret is kept")
def secrets(context):
    with open_receiver(context) as (lab, plugin):
        there = ready(lab, plugin)
        other = lab.path("other")
        write(other, "another secret, which is wrong")
        there.refused(12, "list", says="wrong signature", options={"secret_file": other})
        write(other, SECRET, 0o644)
        there.refused(12, "list", says="chmod 600", options={"secret_file": other})
        write(other, "short")
        there.refused(12, "list", says="5 bytes", options={"secret_file": other})
        there.refused(12, "list", says="one of them", options={"secret_env": "X"})
        there.refused(12, "list", says="one of them", options={"secret_file": ""})
        there.refused(12, "list", says="No such file", options={"secret_file": "/nowhere"})
        os.environ["SLUICE_TEST_SECRET"] = SECRET
        assert there.call("list", options={"secret_file": "",
                                           "secret_env": "SLUICE_TEST_SECRET"}) == {"backends": []}
        for url in "ftp://x/", "http://", "http://user:word@x/", "no url", "http://x:99999/":
            there.refused(12, "list", says="option url", options={"url": url})
        there.refused(10, "list", says="refused", options={"url": "http://127.0.0.1:1/",
                                                           "tries": "1"})
        # What was overheard is of no use five minutes later.
        body = json.dumps({"verb": "list", "owner": "me", "spec": {}})
        done = execute(*lab.lb.inside("curl", "-sS", "-d", body, "-H", "X-Sluice-Timestamp: 1000",
                                      "-H", "X-Sluice-Signature: sha256=0",
                                      plugin.options["url"]))
        assert "stale" in done.stdout, done
        # TLS: a receiver that nobody vouches for is not told anything.
        done = execute("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                       "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=hook", "-addext",
                       "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout", lab.path("key"),
                       "-out", lab.path("certificate"))
        lab.lb.spawn("openssl", "s_server", "-quiet", "-accept", "9443", "-www", "-key",
                     lab.path("key"), "-cert", lab.path("certificate"))
        wait_for("the other listens", lambda: lab.lb.run("ss", "-Hltn", "sport = :9443").stdout)
        there.refused(12, "list", says="ca_file", options={"url": "https://127.0.0.1:9443/"})
        there.refused(12, "list", says="No such file", options={
            "url": "https://127.0.0.1:9443/", "ca_file": "/nowhere"})
