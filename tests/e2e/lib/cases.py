# SPDX-License-Identifier: GPL-2.0-only
"""The register of the Python test cases: a decorator, and what a case gets to work with.

    from lib.cases import case

    @case("e2e/a client reaches a backend over l2")
    def client_reaches_backend(context):
        context.log("what helps to understand a failure")
"""

import dataclasses
import pathlib
import sys
import time
from typing import Callable

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Skip(Exception):
    """Raised by context.skip(): the case cannot run here, and the text says why."""


@dataclasses.dataclass
class Context:
    """What a case gets: its own folder, the build, and whether it may take long."""

    soak: bool  # the long form is wanted
    tmp: pathlib.Path  # a folder of the case's own; kept if it fails
    build: pathlib.Path  # where sluice and sluiced are
    started: float = dataclasses.field(default_factory=time.monotonic)

    def log(self, text):
        """Write a line that is shown if the case fails."""
        print(f"[{time.monotonic() - self.started:7.3f}] {text}", flush=True)

    def skip(self, why):
        """End the case here: it cannot run."""
        raise Skip(why)


@dataclasses.dataclass(frozen=True)
class Case:
    """A registered case."""

    name: str
    function: Callable
    soak: bool  # only in the long run
    root: bool  # needs root
    waits: bool  # most of its time: another such runs beside it
    timeout: float  # seconds; of the short run
    soak_timeout: float  # of the long run


REGISTERED: list[Case] = []


def case(name, *, soak=False, root=True, waits=False, timeout=120.0, soak_timeout=3600.0):
    """Register a function of one argument, the context, as the test "area/a sentence".

    soak: run by `make soak` only. root=False: the case needs no root. waits=True: it waits for most
    of its time, asks nothing of how fast the machine is, and touches nothing that is the whole
    machine's; another such case runs beside it. On a timeout the case's
    process gets SIGTERM, which raises SystemExit in it, so `finally` and `with` clean up.
    """

    def register(function):
        if any(known.name == name for known in REGISTERED):
            sys.exit(f"two test cases are named '{name}'; rename one")
        REGISTERED.append(Case(name, function, soak, root, waits, timeout, soak_timeout))
        return function

    return register
