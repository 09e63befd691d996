# SPDX-License-Identifier: GPL-2.0-only
"""The means of the other cases: that they tell right from wrong, and clean up."""

import os
import signal
import subprocess
import sys

from lib import prometheus
from lib.cases import case
from lib.world import ROOT, VIP, Load, fetch, kill_inside, open_lab, url, wait_for

GOOD = """\
# HELP a_total things
# TYPE a_total counter
a_total{x="1",y="a\\"b"} 3
a_total{x="2",y=""} 4
# HELP b state
# TYPE b gauge
b -1.5
"""


@case("e2e/the strict reader of metrics refuses what is not the format", root=False)
def strict_reader(context):
    samples = prometheus.read(GOOD)
    assert prometheus.get(samples, "a_total", x="2", y="") == 4 and len(samples) == 3, samples
    for old, new in [(" -1.5\n", " -1.5"), (" 3\n", " three\n"), ('x="1"', "x=1"), ("b -1", "c -1"),
                     ("counter", "gauge"), ("# TYPE b gauge\n", ""), ("# HELP b state\n", ""),
                     ('{x="2",y=""}', '{x="1",y="a\\"b"}'), ("b -1", " b -1"), (" 3\n", " -3\n"),
                     ("b -1.5\n", 'b -1.5\na_total{x="3"} 1\n'), (" 3\n", " 3\n\n")]:
        assert old in GOOD
        try:
            prometheus.read(GOOD.replace(old, new))
        except ValueError:
            continue
        raise AssertionError(f"accepted {old!r} -> {new!r}")


def left(lab_id):
    return [name for folder in ("/run/netns", "/sys/fs/bpf", "/tmp") for name in os.listdir(folder)
            if name.startswith(lab_id)]


@case("e2e/two labs live side by side, and each takes all of its own away")
def side_by_side(context):
    with open_lab(context) as one, open_lab(context) as two:
        for lab in one, two:
            node = lab.add_backend("web-1", VIP[4])
            lab.client.ip(f"route replace {VIP[4]} via {node.address()}")
        pid = one.client.spawn("sleep", "1000").pid
        one.cleanup()
        assert not left(one.id + "-"), left(one.id + "-")
        assert not os.path.exists(f"/proc/{pid}")
        assert fetch(two.client, url()).stdout == "web-1\n"
    assert not left(two.id + "-"), left(two.id + "-")


@case("e2e/a lab whose process was killed is swept away by the next one")
def swept(context):
    code = ("import sys; sys.path.insert(0, 'tools/lab'); import lab, time\n"
            f"one = lab.Lab({str(context.build)!r}); one.__enter__()\n"
            "one.add_backend('web-1', lab.VIP[4]); print(one.id, flush=True); time.sleep(1000)\n")
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE,
                               text=True)
    lab_id = process.stdout.readline().strip()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert left(lab_id)
    with open_lab(context):
        assert not left(lab_id), left(lab_id)


@case("e2e/the load client counts refused, cut and strayed answers, and servers that go")
def load_counts(context):
    with open_lab(context) as lab:
        nodes = [lab.add_backend(f"web-{number}", VIP[4]) for number in (1, 2)]
        lab.client.ip(f"route replace {VIP[4]} via {nodes[0].address()}")
        load = Load(lab.client, VIP[4])
        load.rate(100)
        load.keep(5, 20)
        load.wait_answers(200)
        assert load.latest["failed"] == 0 and load.latest["held"] == 5, load.latest
        lab.client.ip(f"route replace {VIP[4]} via {nodes[1].address()}")
        # Held connections now reach a server that does not know them, which resets them.
        wait_for("all have gone", lambda: load.latest["servers"]["web-1"]["gone"] == 5)
        wait_for("the other serves", lambda: load.latest["servers"].get("web-2", {}).get("answers"))
        kill_inside(nodes[1].namespace)
        wait_for("refused", lambda: load.latest["failures"]["refused"] > 10)
        totals = load.finish()
        assert totals["failed"] + totals["answered"] == totals["started"], totals
