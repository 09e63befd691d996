# SPDX-License-Identifier: GPL-2.0-only
"""What people get from make itself on a machine that lacks things."""

import os
import subprocess

from lib.cases import ROOT, case


def make(*words):
    env = {name: value for name, value in os.environ.items() if not name.startswith("M")}
    return subprocess.run(["make", "--no-print-directory", *words], cwd=ROOT, env=env,
                          capture_output=True, text=True)


@case("make/what building needs and is not there is said in one line", root=False)
def missing(context):
    done = make(f"BUILD={context.tmp}/build", "CLANG=clang-none", "AGENT_PKGS=libnone zlib")
    first = done.stderr.splitlines()[0]
    assert done.returncode == 2, done
    assert first == ("make: what building needs is missing: clang-none libnone; "
                     "run: sudo make setup"), done.stderr
