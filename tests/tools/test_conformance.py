# SPDX-License-Identifier: GPL-2.0-only
"""Every case of the conformance table has a test, or the reason why it has none."""

import re
import subprocess

from lib.cases import ROOT, case

# How many cases each letter has.
CASES = {"F": 19, "P": 13, "T": 15, "U": 9, "I": 11, "N": 6, "S": 7, "H": 4, "C": 10}
ROW = re.compile(r"^\| ([A-Z]\d+) \| [^|]+ \| (.+) \|$")


def rows():
    lines = (ROOT / "tests" / "CONFORMANCE.md").read_text().splitlines()
    return {row[1]: row[2] for row in map(ROW.match, lines) if row}


@case("conformance/every case of the table has a test, or the reason why not", root=False)
def table(context):
    names = subprocess.run(
        [ROOT / "tests" / "run", "--list", "--soak", "--build", context.build],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    wanted = [f"{letter}{n}" for letter, count in CASES.items() for n in range(1, count + 1)]
    assert list(rows()) == wanted, set(wanted) ^ set(rows())
    problems = []
    for number, text in rows().items():
        tests = re.findall(r"`([^`]+)`", text)
        # Tests that bear the case's own number need no other word; what is named has to be there.
        own = any(f"conformance/{number} " in name for name in names)
        if not tests and not own and not re.match(r"missing: \w", text):
            problems.append(f"{number}: neither a test nor a reason")
        for test in tests:
            # A name that goes over two lines of a source is listed by its start.
            if not any(n.startswith(test) or (len(n) > 30 and test.startswith(n)) for n in names):
                problems.append(f"{number}: no test is named {test}")
    print("\n".join(problems))
    assert not problems
