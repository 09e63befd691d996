# SPDX-License-Identifier: GPL-2.0-only
"""tests/run itself: whatever way a test fails, the run fails and says so."""

import subprocess

from lib.cases import ROOT, case


def run(context, programs, *args, python=""):
    """Run tests/run on programs (name: shell text) and a Python test file."""
    build, tests = context.tmp / "build", context.tmp / "tests"
    for name, text in programs.items():
        path = build / "tests" / "unit" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    (tests / "e2e").mkdir(parents=True, exist_ok=True)
    (tests / "e2e" / "test_planted.py").write_text(python)
    done = subprocess.run(
        [ROOT / "tests" / "run", "--build", build, "--tests", tests, *args],
        capture_output=True,
        text=True,
    )
    print(done.stdout, done.stderr)
    return done, done.stdout.splitlines()


@case("run/results of C programs are counted by name", root=False)
def counted(context):
    done, lines = run(
        context, {"a": "echo 1..2; echo 'ok 1 - unit/a: one'; echo 'not ok 2 # SKIP unit/a: two'"}
    )
    assert done.returncode == 0
    assert any(line.startswith("ok ") and line.endswith("unit/a: one") for line in lines)
    assert lines[-1] == "1 passed, 0 failed, 1 skipped"


@case("run/a failed case fails the run and shows its details", root=False)
def failed(context):
    done, lines = run(
        context, {"a": "echo 1..1; echo 'not ok 1 - unit/a: one'; echo '# 0x1 != 0x2'; exit 1"}
    )
    assert done.returncode == 1
    assert lines == ["FAIL unit/a: one", "    0x1 != 0x2", "0 passed, 1 failed"]


@case("run/a program that crashes fails the cases it did not reach", root=False)
def crashed(context):
    done, lines = run(
        context, {"a": "echo 1..3; echo 'ok 1 - unit/a: one'; echo boom >&2; kill -SEGV $$"}
    )
    assert done.returncode == 1 and lines[-1] == "1 passed, 2 failed"
    assert "FAIL unit/a case 3 of 3" in lines and "    boom" in lines


@case("run/a program that fails after its last case fails the run", root=False)
def late(context):
    done, lines = run(context, {"a": "echo 1..1; echo 'ok 1 - unit/a: one'; exit 23"})
    assert done.returncode == 1 and lines[-1] == "1 passed, 1 failed"


@case("run/a program without results fails the run", root=False)
def mute(context):
    done, lines = run(context, {"a": "exit 0"})
    assert done.returncode == 1 and lines[-1] == "0 passed, 1 failed"


@case("run/no test at all fails the run", root=False)
def none(context):
    done, lines = run(context, {}, "--only", "nothing is named so")
    assert done.returncode == 1 and lines == ["0 passed, 0 failed"]
    assert "nothing is named so" in done.stderr


PYTHON = """
import time
from lib.cases import case

@case("planted/good", root=False)
def good(context):
    pass

@case("planted/bad", root=False)
def bad(context):
    context.log("a clue")
    assert 1 == 2

@case("planted/cannot", root=False)
def cannot(context):
    context.skip("no such thing here")

@case("planted/endless", root=False, timeout=0.2)
def endless(context):
    try:
        time.sleep(1000)
    finally:
        context.log("cleaned up")

@case("planted/long", root=False, soak=True)
def long(context):
    assert context.soak
"""


@case("run/python cases pass, fail, skip and end in time", root=False)
def python_cases(context):
    done, lines = run(context, {}, python=PYTHON)
    assert done.returncode == 1 and lines[-1] == "1 passed, 2 failed, 1 skipped"
    assert "skip planted/cannot: no such thing here" in lines
    assert "FAIL planted/bad" in lines and "FAIL planted/endless" in lines
    assert "a clue" in done.stdout and "cleaned up" in done.stdout
    assert "planted/long" not in done.stdout


@case("run/the long cases run in the soak, and a pattern selects", root=False)
def soak(context):
    done, lines = run(context, {}, "--soak", "--only", "planted/[lg]o*", python=PYTHON)
    assert done.returncode == 0 and lines[-1] == "2 passed, 0 failed"


@case("run/a test file that cannot be loaded fails the run", root=False)
def broken(context):
    done, lines = run(context, {}, python="import nothing_of_this_name\n")
    assert done.returncode == 1 and lines[-1] == "0 passed, 1 failed"


WAITING = """
import time
from lib.cases import case
def meet(context, mine, other):
    (context.tmp.parent / mine).touch()
    while not (context.tmp.parent / other).exists():
        time.sleep(0.01)
@case("planted/first", root=False, waits=True, timeout=20)
def first(context):
    meet(context, "here", "there")
@case("planted/alone", root=False)
def alone(context):
    assert not list(context.tmp.parent.glob("0*/log"))[1:]
@case("planted/second", root=False, waits=True, timeout=20)
def second(context):
    meet(context, "there", "here")
"""


@case("run/two cases that wait run at once, and any other alone", root=False)
def at_once(context):
    done, lines = run(context, {}, python=WAITING)
    assert done.returncode == 0 and lines[-1] == "3 passed, 0 failed"
    assert lines[-2].endswith("planted/alone")
