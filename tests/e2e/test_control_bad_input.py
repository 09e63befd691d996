# SPDX-License-Identifier: GPL-2.0-only
"""Every verb of the command with every parameter wrong: one message, and nothing has changed."""

import re

from lib.cases import case
from lib.world import backends, open_lab, service, start

BAD = "no/such!"  # no name, address, number, time, word, file or prefix
GOOD = {"--trace": "step", "SERVICE": "web", "BACKEND": "web-1", "ADDRESS": "198.18.9.9", "WEIGHT": "50",
        "IFACE": "eth0", "PREFIX": "192.0.2.0/24", "SHELL": "bash", "VERB": "backend",
        "SUBVERB": "ls", "--vip": "203.0.113.99", "--protocol": "tcp", "--port": "81"}
NEEDS = {"--client": {"--service": "web"}}  # what an option is nothing without


def verbs(lab):
    """Each verb with its arguments and the options that take a value, as its help has them."""
    listed = lab.sluice("--help").stdout
    for name in re.findall(r"^  ([a-z]+(?: [a-z]+)*)  ", listed, re.M):
        text = lab.sluice(*name.split(), "--help").stdout
        usage = text.splitlines()[0]
        arguments = re.findall(r" (\[)?([A-Z]+)\]?", re.sub(r" --[a-z0-9-]+ \S+", "", usage))
        required = re.findall(r" (--[a-z0-9-]+) \S+", usage)
        options = re.findall(r"^  (?:-., |    )(--[a-z0-9-]+) [A-Z]", text, re.M)
        yield (name.split(), [word for optional, word in arguments if not optional],
               [word for _, word in arguments], required,
               [one for one in options if one not in ("--socket", "--color")])


def refused(context, lab, words, *says, status=(1, 2)):
    done = lab.sluice(*words, check=False, timeout=30)
    context.log(f"sluice {' '.join(words)}: {done.returncode} {done.stdout}{done.stderr.strip()}")
    assert done.returncode in status, words
    assert not done.stdout, words
    assert done.stderr.startswith("sluice: ") and done.stderr.count("\n") == 1, words
    for text in says:
        assert text in done.stderr, (words, text)
    assert re.search(r"; \S|did you mean", done.stderr), f"no next step: {words}"


def values(names, path):
    """What is right for these arguments and options."""
    return {name: GOOD.get(name, path if name in ("FILE", "--file") else "1") for name in names}


def call(name, required, optional, **wrong):
    """The words of a call in which every required parameter is right but for what is wrong."""
    words = list(name)
    for one, value in required.items():
        words += [one, value] if one.startswith("-") else [value]
    for one, value in optional.items():
        words += [one, value]
    return words + list(wrong.get("more", []))


@case("control/bad input: every parameter of every verb, wrong, missing or too many, has one message")
def sweep(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 2))])
        path = lab.agent.config
        before = lab.sluice("config", "dump").stdout
        count = 0
        for name, needed, arguments, required, options in verbs(lab):
            good = values(needed + required, path)
            refused(context, lab, call(name, good, {}, more=["--no-such-option"]),
                    "--no-such-option", status=(2,))
            for one in good:
                less = {key: value for key, value in good.items() if key != one}
                if one.startswith("-") or one == needed[-1]:
                    refused(context, lab, call(name, less, {}), f"{one}: it is missing",
                            status=(2,))
                refused(context, lab, call(name, good | {one: BAD}, {}), BAD)
                count += 1
            for one in [word for word in arguments if word not in needed]:
                refused(context, lab, call(name, good, {}, more=[BAD]), BAD)
            full = good | values(arguments, path)
            refused(context, lab, call(name, full, {}, more=["one-too-many"]), "one-too-many")
            for one in [word for word in options if word not in required]:
                refused(context, lab, call(name, good, NEEDS.get(one, {}) | {one: BAD}), BAD)
                refused(context, lab, call(name, good, {}, more=[one]), "value is missing",
                        status=(2,))
                count += 2
            assert lab.sluice("config", "dump").stdout == before, f"{name} changed something"
        assert count > 60, count


@case("control/bad input: who names a service or backend almost right is told which may be meant")
def nearly(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 2))])
        for words, says in [
                (("service", "show", "wbe"), "did you mean 'web'?"),
                (("backend", "drain", "web", "weg-1"), "did you mean 'web-1'?"),
                (("backend", "drain", "web", "web-9"), "'sluice backend ls web' lists them"),
                (("scale", "pause", "wb"), "did you mean 'web'?"),
                (("flows", "--service", "wep"), "did you mean 'web'?"),
                (("guard", "ls", "--service", "weeb"), "did you mean 'web'?")]:
            refused(context, lab, words, says, status=(1,))
