# SPDX-License-Identifier: GPL-2.0-only
"""Many services: what changes in one of them costs what that one costs."""

import json
import os
import subprocess

from lib.cases import ROOT, case

SERVICES, BACKENDS = 400, 8


@case("control/C10 400 services, one backend flips: the kernel has it in a bounded time, and all other "
      "tables are as they were")
def one_flips(context):
    """The agent's own time is what it costs; the clock on the wall has room for a busy machine."""
    out = context.tmp / "plane.json"
    subprocess.run([ROOT / "tools" / "bench" / "plane.py", "--services", str(SERVICES),
                    "--backends", str(BACKENDS), out], check=True,
                   env={**os.environ, "SLUICE_BUILD": str(context.build)})
    figures = json.loads(out.read_text())
    context.log(str(figures))
    assert figures["flip_tables_max"] == 1, figures
    assert figures["flip_cpu_ms"] < 50, figures
    assert figures["flip_ms"] < 2000, figures
