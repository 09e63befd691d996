# SPDX-License-Identifier: GPL-2.0-only
"""Established flows under a flood of spoofed packets, in the benchmark's own loaded data plane."""

import json
import subprocess

from lib.cases import case

CAPACITY = 1048576  # flows of a default config's table
SHORT, LONG = 1_200_000, 10_000_000  # spoofed packets of each kind


@case("flows/10,000 established flows stay through a flood of SYNs and lone ACKs and a pool change")
def flood(context):
    """With their entries gone all of them would move: it is the flow table that keeps them."""
    out = context.tmp / "flood.json"
    packets = LONG if context.soak else SHORT
    subprocess.run([context.build / "sluice-bench", "--flood", str(packets), out], check=True)
    figures = json.loads(out.read_text())
    assert figures["flood_packets"] == 2 * packets, figures
    # The flood fills the table, and then takes the places of its own entries.
    assert figures["flood_inserts"] > 2 * packets * 0.99, figures
    assert figures["flood_evicted_probation_flows"] > (2 * packets - CAPACITY) * 0.95, figures
    assert figures["flood_evicted_proven_flows"] == 0, figures
    assert figures["flood_flows_kept_by_slots_alone_percent"] == 0, figures
    assert figures["flood_busy_flows_kept_percent"] >= 99.9, figures
    assert figures["flood_idle_flows_kept_percent"] >= 99.9, figures
