# SPDX-License-Identifier: GPL-2.0-only
"""`sluice provision test`: the documented example passes, and each way to break it is found."""

import os
import re
import signal
import stat
import subprocess

from lib.cases import ROOT, case
from lib.command import sluice, succeeds, usage_error
from lib.provisioned import Plugin, holds, trial
from lib.world import open_lab, wait_for

# What is done to the example, and the check that has to find it.
FAULTS = {
    "talks on stdout": ("    os.makedirs(STATE, exist_ok=True)\n    with open(f\"{STATE}/lock\"",
                        "    print('hello')\n    os.makedirs(STATE, exist_ok=True)\n"
                        "    with open(f\"{STATE}/lock\"", "capabilities: says what it can do"),
    "lacks a verb": ('{"verbs": ["create", "delete", "list"]}', '{"verbs": ["create", "delete"]}',
                     "capabilities: says what it can do"),
    "sizes that fall": ('"verbs": ["create", "delete", "list"]}',
                        '"verbs": ["create", "delete", "list"], "sizes": ['
                        '{"name": "a", "capacity": 2}, {"name": "b", "capacity": 1}]}',
                        "sizes: have names and rising capacities"),
    "knows every verb": ("        stop(12, f\"{verb}: no such verb\")", "        print('{}')\n"
                         "        return", "an unknown verb is refused"),
    "wants bad input again": ('stop(12, f"bad input', 'stop(10, f"bad input',
                              "input that is no JSON is refused"),
    "dies of bad input": ('        except (ValueError, KeyError, TypeError) as why:',
                          '        except ZeroDivisionError as why:',
                          "create without a name is refused"),
    "cannot delete what is absent": ("        unmake(folder)\n        shutil.rmtree(folder)\n",
                                     "        shutil.rmtree(folder)\n    else:\n"
                                     "        stop(1, 'not there')\n",
                                     "delete of what is not there is done"),
    "fails without a word": ("            stop(14, f", "            os._exit(14)\n        if 0:\n"
                             "            stop(14, f", "create for another service: a conflict"),
    "answers no address": ('    return {"name": record["name"], "address": record["address"]}\n',
                           '    return {"name": record["name"]}\n',
                           "create: answers where the backend is"),
    "makes a new one each time": ('    if os.path.exists(f"{folder}/record"):\n        record =',
                                  '    if os.path.exists(f"{folder}/no-record"):\n        record =',
                                  "create again: the same backend"),
    "takes the name for anything": ('if record["asked"] != asked:', "if False:",
                                    "create for another service: a conflict"),
    "lists half": ('            yield load(f"{STATE}/{one}/record")',
                   '            if "-101_" in one + "_":\n                continue\n'
                   '            yield load(f"{STATE}/{one}/record")',
                   "list: has what was created"),
    "shows others": ('owner in ("*", one.split("_")[0])', "True", "list: not what others own"),
    "deletes others": ('    folder = f"{STATE}/{request[\'owner\']}_{request[\'name\']}"',
                       '    folder = f"{STATE}/{request[\'owner\']}_{request[\'name\']}"\n'
                       '    if verb == "delete":\n'
                       '        for one in os.listdir(STATE):\n'
                       '            if one.endswith("_" + request["name"]):\n'
                       '                folder = f"{STATE}/{one}"',
                       "delete: not what others own"),
    "does not keep off its other self": (
        "        fcntl.flock(lock, fcntl.LOCK_EX)  # one call at a time\n", "",
        "two creates at once: one backend",
        ('record = {"name": request["name"], "address": free[0]',
         'import time; time.sleep(1)\n        record = {"name": request["name"], '
         '"address": free[os.getpid() % len(free)]')),
    "writes down too late": (
        '        os.rename(f"{folder}/new", f"{folder}/record")  # before anything is made\n    make',
        '        import time; make(folder); os.rename(f"{folder}/new", f"{folder}/kept")\n'
        '        if os.path.exists(f"{STATE}/slip-{request[\'name\']}"):\n'
        '            stop(1, "there is one already")\n'
        '        open(f"{STATE}/slip-{request[\'name\']}", "w"); time.sleep(0.3)\n'
        '        os.rename(f"{folder}/kept", f"{folder}/record")\n    make',
        "create killed half-way: called again, it is there once"),
    "does not delete": ("        shutil.rmtree(folder)\n", "        pass\n",
                        "delete: it is gone, and may be asked for twice"),
    "leaves its output open": ("    make(folder)\n    return",
                               "    make(folder)\n    import subprocess\n"
                               "    subprocess.Popen(['sleep', '3'])\n    return",
                               "create: answers where the backend is"),
    "prints without end": ('    make(folder)\n    return', '    make(folder)\n    while True:\n'
                           '        print("more" * 1000)\n    return',
                           "create: answers where the backend is"),
    "hangs": ('    make(folder)\n    return', '    make(folder)\n    import time\n'
              '    time.sleep(1000)\n    return', "create: answers where the backend is"),
    "is still at it for ever": ('    make(folder)\n    return', "    stop(15, 'patience')\n    return",
                                "create: answers where the backend is"),
    "dies": ('    make(folder)\n    return', "    os.kill(os.getpid(), 9)\n    return",
             "create: answers where the backend is"),
}


def example(context, fault=None, name="plugin"):
    """The provisioner of the documentation, with one fault, if any."""
    text = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "PROVISIONERS.md").read_text(),
                     flags=re.S)[1].replace("/run/sluice/example", f"{context.tmp}/{name}-state")
    for old, new in [fault[:2], *fault[3:]] if fault else []:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    # What it does not need costs a quarter of the time.
    text = text.replace("#!/usr/bin/python3", "#!/usr/bin/python3 -IS")
    path = context.tmp / name
    path.write_text(text)
    path.chmod(stat.S_IRWXU)
    return path


@case("autoscale/provision test: the documented example holds the contract", root=False)
def documented(context):
    path = example(context)
    done, report = trial(context, path)
    results = {one["check"]: one["result"] for one in report["checks"]}
    assert done.returncode == 0 and report["failed"] == 0 and report["clean"], results
    assert len(results) > 15 and set(results.values()) == {"ok", "skipped"}, results
    assert [check for check, result in results.items() if result == "skipped"] == [
        "sizes: have names and rising capacities", "get: tells of one, {} of none",
        "resize: to each size and back again"], results
    assert os.listdir(context.tmp / "plugin-state") == ["lock"]
    text = succeeds(context, "provision", "test", str(path)).stdout
    assert text.splitlines()[-1] == "17 ok, 0 failed, 3 skipped", text


@case("autoscale/provision test: each way to break the contract is found, and told", root=False)
def faults(context):
    # Those that are found at once, and one or two of the others.
    short = [what for what, fault in FAULTS.items() if fault[2] in (
        "capabilities: says what it can do", "create: answers where the backend is")] + [
        "knows every verb", "deletes others"]
    for number, what in enumerate(FAULTS if context.soak else short):
        fault = FAULTS[what]
        path = example(context, fault, f"plugin-{number}")
        waits = what in ("hangs", "is still at it for ever")
        done, report = trial(context, path, "--timeout", "1s" if waits else "30s")
        failed = [one for one in report["checks"] if one["result"] == "failed"]
        assert done.returncode == 1, what
        assert fault[2] in [one["check"] for one in failed], (what, failed)
        for one in failed:
            for field in "found", "sent", "answered", "contract", "next":
                assert one[field], (what, one)


@case("autoscale/provision test: secrets of the options are shown as ***", root=False)
def secrets(context):
    path = example(context, ("    make(folder)\n", "    stop(1, request['spec']['token'])\n"))
    done = sluice(context, "provision", "test", str(path), "--spec", '{"token": "hush-hush"}')
    assert done.returncode == 1 and "hush-hush" not in done.stdout + done.stderr
    assert '"token":"***"' in done.stdout and "stderr: example: ***" in done.stdout, done.stdout


@case("autoscale/provision test: what was given wrongly is told", root=False)
def wrong(context):
    usage_error(context, "provision", "test", says="PLUGIN")
    usage_error(context, "provision", "test", "x", "--service", "web", says="--config")
    done = sluice(context, "provision", "test", "x", "--spec", "[]")
    assert done.returncode == 1 and "[]: cannot open" in done.stderr
    done = sluice(context, "provision", "test", "x", "--spec", "{1}")
    assert done.returncode == 1 and "not a JSON object" in done.stderr
    done = sluice(context, "provision", "test", "/nowhere/plugin")
    assert done.returncode == 1 and not done.stdout
    assert "No such file" in done.stderr and "executable" in done.stderr
    config = context.tmp / "sluice.yaml"
    config.write_text("services: []\n")
    done = sluice(context, "provision", "test", "x", "--config", str(config))
    assert done.returncode == 1 and "autoscale" in done.stderr


@case("autoscale/provision test: interrupted, it deletes what it has made", root=False)
def interrupted(context):
    path = example(context, ("    make(folder)\n    return", "    make(folder)\n    import time\n"
                             "    time.sleep(30)\n    return"))
    process = subprocess.Popen([context.build / "sluice", "provision", "test", path],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    state = context.tmp / "plugin-state"
    wait_for("it makes one", lambda: [one for one in (os.listdir(state) if state.exists() else [])
                                      if one.startswith("trial-")])
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    context.log(out + err)
    assert process.returncode == 1 and "interrupted" in err
    assert os.listdir(state) == ["lock"], os.listdir(state)


@case("autoscale/provision test: netns holds the contract")
def netns(context):
    with open_lab(context) as lab:
        holds(context, lab, Plugin(lab, "netns", **lab.options()), "sizes", "get", "resize")


@case("autoscale/provision test: process holds the contract", soak=True)
def process(context):
    with open_lab(context) as lab:
        holds(context, lab, Plugin(
            lab, "process", **lab.options(), command="/usr/bin/python3 -S -m http.server --bind {address} {port}",
            sizes="a:0.5:64M,b:1:64M", cgroup=lab.id, stop_s=0))
