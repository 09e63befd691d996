# SPDX-License-Identifier: GPL-2.0-only
"""A strict reader of the Prometheus text format, version 0.0.4."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL})(?:,{LABEL})*)\}})? (\S+)")
COMMENT = re.compile(rf"# (HELP|TYPE) ({NAME}) (.+)")
TYPES = ("counter", "gauge", "histogram")
PART = re.compile(r"_(bucket|sum|count)$")  # of a histogram


def read(text):
    """{(name, (label, value), ...): number}. Raises ValueError on anything out of order."""
    samples, types, helped = {}, {}, set()
    family = None
    if not text.endswith("\n"):
        raise ValueError("the last line has no end")
    for number, line in enumerate(text.split("\n")[:-1], 1):
        if comment := COMMENT.fullmatch(line):
            kind, name, rest = comment.groups()
            if kind == "HELP" and name in helped or kind == "TYPE" and name in types:
                raise ValueError(f"line {number}: second {kind} of {name}")
            if kind == "HELP":
                helped.add(name)
            elif rest not in TYPES:
                raise ValueError(f"line {number}: type {rest}")
            else:
                types[name] = rest
                if (rest == "counter") != name.endswith("_total"):
                    raise ValueError(f"line {number}: {name} is a {rest}")
            if family not in (None, name) and name in {key[0] for key in samples}:
                raise ValueError(f"line {number}: {name} is in two groups")
            family = name
        elif sample := SAMPLE.fullmatch(line):
            name, labels, value = sample.groups()
            of = PART.sub("", name) if types.get(family) == "histogram" else name
            if of != family or of not in types or of not in helped:
                raise ValueError(f"line {number}: {name} without HELP and TYPE right above")
            key = (name, *sorted(re.findall(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"', labels or "")))
            if key in samples:
                raise ValueError(f"line {number}: {key} twice")
            samples[key] = float(value)
            if types[family] != "gauge" and not samples[key] >= 0:
                raise ValueError(f"line {number}: a {types[family]} of {value}")
        else:
            raise ValueError(f"line {number}: {line!r}")
    for name in (name for name, kind in types.items() if kind == "histogram"):
        histogram_check(samples, name)
    return samples


def histogram_check(samples, name):
    """Its buckets never fall, and the last one counts all. Here none has further labels."""
    counts = [samples[key] for key in samples if key[0] == f"{name}_bucket"]
    bounds = [float(key[1][1]) for key in samples if key[0] == f"{name}_bucket"]
    if bounds != sorted(bounds) or bounds[-1:] != [float("inf")] or counts != sorted(counts):
        raise ValueError(f"{name}: buckets {bounds} with {counts}")
    if get(samples, f"{name}_count") != counts[-1] or get(samples, f"{name}_sum") is None:
        raise ValueError(f"{name}: its sum or count is not that of its buckets")


def get(samples, name, **labels):
    """One sample's value, or None."""
    return samples.get((name, *sorted(labels.items())))
