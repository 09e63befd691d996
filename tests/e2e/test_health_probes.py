# SPDX-License-Identifier: GPL-2.0-only
"""Probes of every kind against real servers: what they find, and what they say about it."""

import os
import stat

from lib.cases import case
from lib.keeper import write_config
from lib.probed import (health_of, make_certificates, nginx, odd_server, probed, wait_verdict)
from lib.world import UDP_ECHO, backends, open_lab, wait_for


def script(lab, text):
    path = lab.path("probe.sh")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\n{text}\n")
    os.chmod(path, stat.S_IRWXU)
    return path


def rows(lab, node):
    """(name, health section, the verdict, what is said): what is found at the node's servers."""
    tls = os.path.join(lab.path("tls"), "ca.pem")
    name = {"type": "https", "port": 8443, "path": "/up", "server_name": "web.example"}
    return [
        ("tcp-open", {"port": 8080}, "up", "connected"),
        ("tcp-closed", {"port": 8081}, "down", "refused"),
        ("tcp-silent", {"port": 8082}, "up", "connected"),
        ("http-up", {"type": "http", "port": 8080, "path": "/up", "body": "all is well"}, "up",
         "status 200"),
        ("http-head", {"type": "http", "port": 8080, "path": "/up", "method": "HEAD"}, "up",
         "status 200"),
        ("http-404", {"type": "http", "port": 8080}, "down", "status 404"),
        ("http-404-is-good", {"type": "http", "port": 8080, "status": "404"}, "up", "status 404"),
        ("http-body", {"type": "http", "port": 8080, "path": "/up", "body": "all is lost"}, "down",
         "lacks its text"),
        ("http-silent", {"type": "http", "port": 8082}, "down", "no answer within"),
        ("http-slow", {"type": "http", "port": 8083, "body": "ok"}, "down", "no answer within"),
        ("https-up", {**name, "ca_file": tls}, "up", "status 200"),
        ("https-no-ca", {**name}, "down", "certificate"),
        ("https-other-name", {**name, "ca_file": tls, "server_name": "other.example"}, "down",
         "no alternative certificate subject name"),
        ("https-any", {**name, "tls_verify": False}, "up", "status 200"),
        ("udp-up", {"type": "udp", "port": 5353, "payload": "ping", "expect": "web-1 ping"}, "up",
         "a reply of 10 bytes"),
        ("udp-other", {"type": "udp", "port": 5353, "payload_hex": "00ff", "expect": "pong"},
         "down", "not expected"),
        ("udp-closed", {"type": "udp", "port": 5354, "payload": "ping"}, "down", "refused"),
        ("icmp-up", {"type": "icmp"}, "up", "echo reply"),
        ("exec-up", {"type": "exec", "command": script(
            lab, f'[ "$1" = {node.target} ] && [ "$2" -gt 1000 ] && exec true')}, "up",
         "exit status 0"),
        ("exec-down", {"type": "exec", "command": "/bin/false"}, "down", "exit status 1"),
    ]


def all_probes(context, family):
    with open_lab(context) as lab:
        node, = backends(lab, 1, family)
        tls = make_certificates(lab)
        nginx(lab, node, 8080)
        nginx(lab, node, 8443, tls)
        odd_server(node, "silent", 8082)
        odd_server(node, "slow", 8083)
        node.spawn("/usr/bin/python3", UDP_ECHO, "serve", node.target, 5353, node.name)
        wait_for("the UDP server serves", lambda: node.run("ss", "-Hlun", "sport = :5353").stdout)
        table = rows(lab, node)
        # A loaded machine may be slow, so a probe has time; only the slow ones need it all.
        lab.start_agent(write_config(lab, [
            probed(name, 2000 + number, node, {"initial": "up", "timeout_ms": 900,
                                               "interval_ms": 1000, "fall": 1, **health}, family)
            for number, (name, health, _, _) in enumerate(table)], limits={"services": 64}))
        for name, _, verdict, says in table:
            health = wait_verdict(lab, name, verdict)
            wait_for(f"{name}: a result", lambda: health_of(lab, name, "web-1")["health"]["last"])
            health = health_of(lab, name, "web-1")["health"]
            assert says.lower() in health["last"]["why"].lower(), (name, health)
            assert health["last"]["passed"] == (verdict == "up"), (name, health)
            assert health["via"] == "address", health
        shown = lab.sluice("health", "tcp-closed").stdout
        assert "0 up, 1 down" in shown and "refused" in shown, shown
        assert 'sluice_backend_up{service="tcp-closed",backend="web-1"} 0' in lab.metrics()


@case("health/probes: TCP, HTTP, HTTPS, UDP, ICMP and exec find what there is, IPv4")
def probes_v4(context):
    all_probes(context, 4)


@case("health/probes: TCP, HTTP, HTTPS, UDP, ICMP and exec find what there is, IPv6")
def probes_v6(context):
    all_probes(context, 6)
