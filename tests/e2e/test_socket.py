# SPDX-License-Identifier: GPL-2.0-only
"""Who may use the agent's socket, and that the log says who did."""

import grp
import os
import re
import shutil
import stat

from lib.cases import case
from lib.world import execute, open_lab, service, start

NOBODY = 65534


def group_name(number):
    return next(one.gr_name for one in grp.getgrall() if one.gr_gid == number)


def as_user(lab, *words, group=NOBODY):
    """Run the CLI as a user of no rights."""
    return execute("setpriv", f"--reuid={NOBODY}", f"--regid={group}", "--clear-groups",
                   lab.path("sluice"), "--socket", lab.socket, *words, check=False)


@case("control/socket: 0660 of its group; others are told the group and what to do")
def group(context):
    with open_lab(context) as lab:
        os.chmod(lab.folder, 0o755)
        shutil.copy(context.build / "sluice", lab.folder)
        number = next(one.gr_gid for one in grp.getgrall() if 0 < one.gr_gid < NOBODY)
        start(lab, [service(lab)], socket_group=group_name(number))
        facts = os.stat(lab.socket)
        assert (facts.st_mode & 0o777, facts.st_uid, facts.st_gid) == (0o660, 0, number)
        assert stat.S_ISSOCK(facts.st_mode)
        denied = as_user(lab, "status")
        assert denied.returncode and denied.stderr.count("\n") == 1, denied
        for words in "permission denied", f"group {group_name(number)}", "usermod -aG":
            assert words in denied.stderr, denied.stderr
        assert as_user(lab, "status", group=number).returncode == 0
        done = as_user(lab, "service", "rm", "web", group=number)
        assert done.returncode == 0, done.stderr
        who = re.search(r"api: DELETE /v1/services/web by (.*): done", lab.agent.log_tail())
        assert re.fullmatch(rf"\S+ \(uid {NOBODY}, pid \d+\)", who.group(1)), who.group(0)
        lab.agent.stop()
        start(lab, [])
        has = [one.gr_gid for one in grp.getgrall() if one.gr_name == "sluice"]
        assert os.stat(lab.socket).st_gid == (has[0] if has else 0)
        if not has:
            denied = as_user(lab, "status")
            assert "root's alone" in denied.stderr, denied.stderr
        lab.agent.stop()
        lab.start_agent(lab.write_config([], socket_group="no-such-group"), wait=False)
        assert lab.agent.process.wait(30) == 1
        assert "groupadd --system no-such-group" in lab.agent.log_tail()
