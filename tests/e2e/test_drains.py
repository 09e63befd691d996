# SPDX-License-Identifier: GPL-2.0-only
"""Drains as they are seen, the end of full tracking, and what a VIP answers for unknown ports."""

from lib.cases import case
from lib.world import VIP, backends, fetch, open_lab, service, start, url, verdicts, wait_for


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
