# SPDX-License-Identifier: GPL-2.0-only
"""What the agent shows to monitoring: exact text format, exact numbers."""

import signal

from lib import prometheus
from lib.cases import case
from lib.world import (VIP, Load, backends, open_lab, service, start, wait_for)

ALWAYS = ("sluice_build_info", "sluice_uptime_seconds", "sluice_verdict_packets_total",
          "sluice_verdict_bytes_total", "sluice_service_packets_total",
          "sluice_service_bytes_total", "sluice_service_new_flows_total",
          "sluice_service_unsettled_slots", "sluice_backend_packets_total",
          "sluice_backend_bytes_total", "sluice_backend_new_flows_total", "sluice_backend_weight",
          "sluice_backend_live_flows", "sluice_backend_reachable", "sluice_backends",
          "sluice_flow_table_entries", "sluice_flow_table_capacity",
          "sluice_flow_table_inserts_total", "sluice_flow_table_evictions_total",
          "sluice_flow_table_rejects_total", "sluice_interface_attached")


@case("e2e/metrics: strictly well-formed, and the same numbers as the API")
def metrics(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 2))])
        load = Load(lab.client, VIP[4])
        load.rate(300)
        load.wait_answers(300)
        load.finish()

        def agree():
            samples = prometheus.read(lab.metrics())
            web = lab.service("web")
            return all(prometheus.get(samples, f"sluice_service_{key}_total", service="web") ==
                       web[key] for key in ("packets", "bytes", "new_flows")) and all(
                prometheus.get(samples, f"sluice_backend_{key}_total", service="web",
                               backend=one["name"]) == one[key]
                for one in web["backends"] for key in ("packets", "bytes", "new_flows"))
        wait_for("metrics and API agree", agree)
        samples = prometheus.read(lab.metrics())
        missing = set(ALWAYS) - {key[0] for key in samples}
        assert not missing, missing
        status = lab.api("GET", "/v1/status")
        for verdict in status["verdicts"]:
            assert prometheus.get(samples, "sluice_verdict_packets_total",
                                  verdict=verdict["name"]) is not None, verdict
        assert prometheus.get(samples, "sluice_interface_attached", interface="eth0",
                              mode="native") == 1
        assert prometheus.get(samples, "sluice_backends", service="web", state="active") == 2
        lab.sluice("backend", "rm", "web", "web-2")
        text = lab.metrics()
        prometheus.read(text)
        assert "web-2" not in text and "web-1" in text

        done = lab.lb.run("curl", "-sS", "-D", "-", "-o", "/dev/null",
                          "http://127.0.0.1:9980/metrics")
        assert "content-type: text/plain; version=0.0.4" in done.stdout.lower(), done.stdout
        for path, status in ("healthz", 200), ("v1/status", 404), ("", 404):
            done = lab.lb.run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}",
                              f"http://127.0.0.1:9980/{path}")
            assert done.stdout == str(status), (path, done.stdout)


@case("e2e/metrics: counters never fall, over a kill of the agent and a removed backend")
def monotonic(context):
    with open_lab(context) as lab:
        config = lab.write_config([service(lab, backends=backends(lab, 2))])
        lab.start_agent(config)
        load = Load(lab.client, VIP[4])
        load.rate(200)
        load.wait_answers(200)
        before = prometheus.read(lab.metrics())
        for change in range(4):
            load.wait_answers(100)
            if change == 1:
                lab.agent.stop(signal.SIGKILL)
                lab.start_agent(config)
            if change == 3:
                lab.sluice("backend", "weight", "web", "web-2", "0")
                load.wait_answers(300)
                lab.sluice("backend", "rm", "web", "web-2")
            now = prometheus.read(lab.metrics())
            fallen = {key: (before[key], now[key]) for key in before.keys() & now.keys()
                      if key[0].endswith("_total") and now[key] < before[key]}
            assert not fallen, fallen
            before = now
        load.finish()
