# SPDX-License-Identifier: GPL-2.0-only
"""The include arrows hold, and the test that says so can say no."""

import subprocess

from lib.cases import ROOT, case

LAYERS = ROOT / "tests" / "layers"


@case("layers/include arrows point the right way", root=False)
def arrows(context):
    done = subprocess.run([LAYERS], capture_output=True, text=True)
    print(done.stdout, done.stderr)
    assert done.returncode == 0 and not done.stdout


@case("layers/each forbidden arrow is found", root=False)
def forbidden(context):
    planted = {
        "include/sluice/a.h": '#include <stdio.h>\n',
        "bpf/a.h": '#include "model/table.h"\n',
        "user/base/a.c": '#include "model/table.h"\n',
        "user/model/a.c": '#include "agent/world.h"\n',
        "user/model/b.c": "#include <time.h>\n",
        "user/agent/a.c": "#include <bpf/libbpf.h>\n",
        "user/agent/b.c": "/* fork() */\nint f(void) { return uv_spawn(0, 0, 0); }\n",
        "user/agent/c.c": '#include "sluice.skel.h"\n',
        "user/agent/d.c": '#include "cli/client.h"\n',
        "user/agent/runner.c": "int f(void) { return fork(); }\n",
        "user/cli/a.c": '#include "agent/world.h"\n',
        "user/cli/b.c": "#include <bpf/bpf.h>\n",
    }
    allowed = {
        "user/agent/dataplane.c": '#include <bpf/libbpf.h>\n#include "sluice.skel.h"\n',
        "user/base/process.c": "int f(void) { return fork(); }\n",
        "user/cli/c.c": '#include "model/config.h"\n/* execvp() is a word here */\n',
    }
    for name, text in (planted | allowed).items():
        (context.tmp / name).parent.mkdir(parents=True, exist_ok=True)
        (context.tmp / name).write_text(text)
    done = subprocess.run([LAYERS, context.tmp], capture_output=True, text=True)
    print(done.stdout, done.stderr)
    assert done.returncode == 1
    assert {line.split(":")[0] for line in done.stdout.splitlines()} == set(planted)
