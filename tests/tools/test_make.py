# SPDX-License-Identifier: GPL-2.0-only
"""What people get from make itself: on a machine that lacks things, and by install."""

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


@case("make/install goes below DESTDIR and PREFIX, and uninstall takes all of it away", root=False)
def install(context):
    where = [f"BUILD={context.build}", f"DESTDIR={context.tmp}/stage", "PREFIX=/usr"]
    done = make("install", *where)
    assert done.returncode == 0, done
    stage = context.tmp / "stage" / "usr"
    files = sorted(str(path.relative_to(stage)) for path in stage.rglob("*") if path.is_file())
    assert files == ["bin/sluice", "lib/sluice/decap.bpf.o", "lib/sluice/provisioners/netns",
                     "sbin/sluiced"], files
    said = subprocess.run([stage / "bin" / "sluice", "version"], capture_output=True, text=True)
    assert said.stdout.startswith("sluice "), said
    assert make("uninstall", *where).returncode == 0
    assert not [path for path in stage.rglob("*") if path.is_file()]
