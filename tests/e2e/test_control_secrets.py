# SPDX-License-Identifier: GPL-2.0-only
"""Secrets among a provisioner's options: in no answer, event or log, whatever the provisioner says."""

import os

from lib.cases import case
from lib.world import VIP, open_lab, service, wait_for

SECRET, OTHER = "s3cr3t-of-the-pool", "another-s3cr3t"
READ = ["/v1/status", "/v1/services", "/v1/services/web", "/v1/scale", "/v1/scale/web",
        "/v1/events?limit=4096", "/v1/journal?limit=4096", "/v1/doctor", "/v1/check"]
SAID = [("diff",), ("diff", "--json"), ("service", "ls"), ("service", "show", "web"), ("events",),
        ("journal",), ("scale", "ls"), ("status",)]


@case("control/secrets: a provisioner that says them is told of without them, and nothing shows them")
def told(context):
    with open_lab(context) as lab:
        path = lab.path("provisioner")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nread -r line\necho \"refused: $line\" >&2\nexit 12\n")
        os.chmod(path, 0o755)
        scaled = service(lab, autoscale={
            "provisioner": path, "signal": "new_flows", "target": 10, "min": 1, "max": 2,
            "options": [f"api_token={SECRET}", "image=debian"]})
        config = lab.write_config([scaled])
        lab.start_agent(config)
        wait_for("the provisioner has failed", lambda: any(
            one["event"] == "provisioner" for one in
            lab.api("GET", "/v1/events?limit=4096")["events"]))
        shown = {path: str(lab.api("GET", path)) for path in READ}
        shown |= {words: lab.sluice(*words, check=False) for words in SAID}
        with open(config, encoding="utf-8") as file:
            text = file.read()
        with open(lab.path("other.yaml"), "w", encoding="utf-8") as file:
            file.write(text.replace(SECRET, OTHER))
        for words in (("plan", "-f"), ("plan", "--json", "-f"), ("apply", "-f")):
            shown[words] = lab.sluice(*words, lab.path("other.yaml"), check=False)
            assert "***" in shown[words].stdout, shown[words]
        shown["journal after"] = lab.api("GET", "/v1/journal?limit=4096")
        assert "options" in str(shown["journal after"]), shown["journal after"]
        with open(lab.agent.log_path, encoding="utf-8") as file:
            shown["log"] = file.read()
        for name, text in shown.items():
            assert SECRET not in str(text) and OTHER not in str(text), (name, text)
        assert "***" in shown["/v1/events?limit=4096"], shown["/v1/events?limit=4096"]
        assert os.stat(lab.path("state", "journal")).st_mode & 0o077 == 0
        # What is dumped is to be applied again: it has them, and is asked for by who may change all.
        assert OTHER in lab.sluice("config", "dump").stdout
        assert VIP[4] in shown["/v1/services"]
