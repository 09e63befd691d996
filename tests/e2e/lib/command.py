# SPDX-License-Identifier: GPL-2.0-only
"""The command `sluice`, run against an agent or a fake one: what it prints and how it ends."""

import os
import subprocess


def sluice(context, *words, agent=None, stdin=None, env=None, stdout=subprocess.PIPE):
    where = ["--socket", agent.socket] if agent else []
    done = subprocess.run(
        [context.build / "sluice", *where, *words],
        input=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        env=os.environ | (env or {}),
    )
    context.log(f"sluice {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def succeeds(context, *words, **options):
    done = sluice(context, *words, **options)
    assert done.returncode == 0
    return done


def usage_error(context, *words, says, **options):
    """A wrong usage: exit status 2, one line on stderr, nothing on stdout."""
    done = sluice(context, *words, **options)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("sluice: ") and done.stderr.count("\n") == 1
    for text in [says] if isinstance(says, str) else says:
        assert text in done.stderr, text
