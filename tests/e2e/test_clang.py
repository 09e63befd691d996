# SPDX-License-Identifier: GPL-2.0-only
"""The data plane built by every other clang that is installed, as the verifier sees it."""

import pathlib
import re
import subprocess

from lib.cases import ROOT, case
from lib.pins import pin_facts

BUDGET = ROOT / "tests" / "datapath" / "budget.c"
INSTALLED = sorted(path.name for path in pathlib.Path("/usr/bin").glob("clang-[0-9]*")
                   if re.fullmatch(r"clang-\d+", path.name) and path.name != "clang-14")


def verified(context, clang):
    """{program: instructions that the verifier looked at}; fails if one is not accepted."""
    build = context.tmp / clang
    objects = [build / "bpf" / f"{name}.bpf.o" for name in ("sluice", "jumbo", "decap")]
    subprocess.run(["make", "-s", "-C", ROOT, f"BUILD={build}", f"CLANG={clang}", *objects],
                   check=True, capture_output=True, text=True)
    counts = {}
    for one in objects:
        pin = pathlib.Path("/sys/fs/bpf") / context.tmp.name
        try:
            done = subprocess.run(["bpftool", "prog", "load", one, pin],
                                  capture_output=True, text=True)
            assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
            counts[one.name] = int(pin_facts(pin)["verified_insns"])
        finally:
            pin.unlink(missing_ok=True)
    return counts


def register(clang):
    @case(f"conformance/verifier budget: every program is within it, built by {clang}")
    def built_by(context):
        budget = int(re.search(r"#define BUDGET (\d+)u", BUDGET.read_text()).group(1))
        counts = verified(context, clang)
        print(counts)
        assert all(0 < count <= budget for count in counts.values()), counts


for name in INSTALLED:
    register(name)
