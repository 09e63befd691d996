# SPDX-License-Identifier: GPL-2.0-only
"""What `make install` puts below a prefix, and that `make uninstall` takes it away again."""

import re
import subprocess

from lib.cases import ROOT, case


def make(context, target):
    done = subprocess.run(
        ["make", "-C", ROOT, target, f"BUILD={context.build}", f"DESTDIR={context.tmp}/root",
         "PREFIX=/usr"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def installed(context):
    root = context.tmp / "root"
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


@case("install/programs, pages, unit and example are installed, and removed again", root=False)
def install(context):
    make(context, "install")
    found = installed(context)
    wanted = {"usr/sbin/sluiced", "usr/bin/sluice", "usr/lib/sluice/decap.bpf.o",
              *(f"usr/lib/sluice/provisioners/{path.name}"
                for path in (ROOT / "tools" / "provisioners").glob("[a-z]*")),
              "usr/share/man/man8/sluice.8",
              "usr/share/man/man8/sluiced.8", "usr/share/man/man5/sluice.yaml.5",
              "usr/share/bash-completion/completions/sluice",
              "usr/share/zsh/site-functions/_sluice",
              "usr/share/fish/vendor_completions.d/sluice.fish", "usr/share/doc/sluice/sluice.yaml",
              "usr/lib/systemd/system/sluiced.service"}
    assert wanted <= found, wanted - found
    root = context.tmp / "root"
    unit = (root / "usr/lib/systemd/system/sluiced.service").read_text()
    assert "ExecStart=/usr/sbin/sluiced " in unit and "@PREFIX@" not in unit
    make(context, "uninstall")
    assert not installed(context), installed(context)


@case("install/the manual has a section for each verb, and groff finds no fault in it", root=False)
def manual(context):
    make(context, "man")
    page = context.build / "man" / "sluice.8"
    text = page.read_text()
    listed = subprocess.run([context.build / "sluice", "--help"], capture_output=True, text=True,
                            check=True).stdout
    verbs = re.findall(r"^  ([a-z]+(?: [a-z]+)*)  ", listed, flags=re.M)
    assert len(verbs) > 15
    for verb in verbs:
        assert verb == "help" or f"\n.SH {verb.upper()}\n" in text, verb
    documented = set(re.findall(r"^\s*(?:- |# )*([a-z][a-z0-9_]*):",
                                (ROOT / "docs" / "sluice.yaml").read_text(), flags=re.M))
    schema = (ROOT / "user" / "model" / "config_schema.c").read_text()
    fields = set(re.findall(r"\b(?:TEXT|TEXT_OR_EMPTY|LIST|SECTION)\(struct raw_\w+,\s*(\w+)",
                            schema))
    # Some have no line of their own: the remark of another field names them.
    named = set(re.findall(r"[a-z0-9_]+", (ROOT / "docs" / "sluice.yaml").read_text()))
    assert len(fields) > 60 and documented <= fields <= named, (documented - fields, fields - named)
    page5 = (context.build / "man" / "sluice.yaml.5").read_text()
    told = {line.removeprefix(".B ").split(".")[-1] for line in page5.splitlines()
            if line.startswith(".B ")}
    sections = {"agent", "interfaces", "services", "new_flow_limit"}
    assert documented - sections <= told, documented - told
    for one in [page, context.build / "man" / "sluiced.8", context.build / "man" / "sluice.yaml.5"]:
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", one], capture_output=True,
                              text=True)
        assert done.returncode == 0 and not done.stderr, done.stderr
