# SPDX-License-Identifier: GPL-2.0-only
"""What the provisioners here share of docs/PROVISIONERS.md: verbs, options, names, records."""

import fcntl
import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys

RETRY, QUOTA, BAD_CONFIG, CONFLICT, GOING_ON = 10, 11, 12, 14, 15
REQUEST_MAX = 1 << 20


class Refusal(Exception):
    """Why a call is not done, and the exit status that says so."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def bad_config(message):
    return Refusal(BAD_CONFIG, message)


def run(*argv, text=None):
    """Run a command that must work. Files, not pipes, so that no daemon can keep us waiting."""
    try:
        done = subprocess.run(argv, input=text, text=True, capture_output=True, timeout=30)
    except FileNotFoundError:
        raise bad_config(f"{argv[0]}: not found; install it") from None
    except subprocess.TimeoutExpired:
        raise Refusal(RETRY, f"{' '.join(argv)}: still running after 30 s") from None
    if done.returncode:
        raise Refusal(RETRY, f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Lock:
    """An exclusive lock on a file that its holder may remove. The folder is made if need be."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        while True:
            try:
                self.file = open(self.path, "w", encoding="utf-8")
            except FileNotFoundError:
                os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
                continue
            fcntl.flock(self.file, fcntl.LOCK_EX)
            try:
                if os.stat(self.path).st_ino == os.fstat(self.file.fileno()).st_ino:
                    return self
            except FileNotFoundError:
                pass
            self.file.close()

    def __exit__(self, *_):
        self.file.close()


# ---- what is asked


def options_of(request, known, prefix=None):
    """The options as texts, defaults filled in. known: {name: (default, what it is)}; a default of
    None means that it must be given. Names that start with prefix are anybody's own."""
    given = request.get("spec")
    if not isinstance(given, dict):
        raise bad_config('"spec": an object of options is missing')
    for name in given:
        if name not in known and not (prefix and name.startswith(prefix)):
            raise bad_config(f"option {name}: unknown; the options are {', '.join(known)}")
    options = {name: str(given.get(name, default or "")) for name, (default, _) in known.items()}
    for name, (default, what) in known.items():
        if default is None and not options[name]:
            raise bad_config(f"option {name}: missing; it is the {what}")
    return options


def number_of(options, name, low, high):
    """Turn an option into a number, in place."""
    if not re.fullmatch(r"\d{1,9}", options[name]) or not low <= int(options[name]) <= high:
        raise bad_config(f"option {name}: {options[name]} is not a number {low}..{high}")
    options[name] = int(options[name])


def word_of(request, key):
    value = request.get(key)
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,62}", value):
        raise bad_config(f'"{key}": {value!r} is not a name ([a-z0-9][a-z0-9.-]*)')
    return value


def service_of(request, modes=("l2", "ipip", "gue", "nat"), protocols=("tcp",)):
    """The service, with its VIP as an address and its port as a number."""
    service = request.get("service")
    if not isinstance(service, dict):
        raise bad_config('"service": an object is missing')
    try:
        vip = ipaddress.ip_address(service.get("vip"))
    except ValueError:
        raise bad_config(f'"service": vip {service.get("vip")!r} is not an address') from None
    protocol = service.get("protocol", "tcp")
    if protocol not in protocols:
        raise bad_config(f"protocol {protocol}: it is {' or '.join(protocols)} only here")
    if service.get("mode") not in modes:
        raise bad_config(f"mode {service.get('mode')!r}: it is {', '.join(modes)} here")
    port = service.get("port")
    port = 80 if port in (0, "any") else port
    if not isinstance(port, int) or not 0 < port < 65536:
        raise bad_config(f'"service": port {port!r} is not 1..65535 or "any"')
    return {"vip": vip, "mode": service["mode"], "port": port, "protocol": protocol}


# ---- what has been asked for


class Record:
    """The record of one object, STATE/OWNER/NAME/record: it is written before anything is made, so
    that a call that was killed half-way can be repeated, listed and deleted."""

    def __init__(self, state, owner, name):
        self.state, self.owner, self.name = state, owner, name
        self.folder = os.path.join(state, owner, name)
        self.record = None
        self.read()

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self):
        try:
            with open(self.path("record"), encoding="utf-8") as file:
                self.record = json.load(file)
        except FileNotFoundError:
            self.record = None

    def write(self, record):
        """The old one or the new one is there, whenever this process or the host ends."""
        os.makedirs(self.folder, exist_ok=True)
        with open(self.path("record.new"), "w", encoding="utf-8") as file:
            json.dump(record, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(self.path("record.new"), self.path("record"))
        self.record = record

    def lock(self):
        return Lock(self.path("lock"))

    def same_or_conflict(self, asked):
        """Whether it is there already; with anything else than what is asked it is a conflict."""
        if self.record and {key: self.record.get(key) for key in asked} != asked:
            raise Refusal(CONFLICT, f"{self.name}: it is there with a different spec")
        return bool(self.record)

    def forget(self):
        # The record goes last: until then the object is listed, and can be deleted again.
        for name in os.listdir(self.folder):
            if name not in ("record", "lock"):
                path = self.path(name)
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        shutil.rmtree(self.folder, ignore_errors=True)


def records(state, owner=None):
    """Yield (owner, name, record) of what was asked for; an unreadable record is an error."""
    for one in sorted(os.listdir(state)) if os.path.isdir(state) else []:
        if not os.path.isdir(os.path.join(state, one)) or owner not in (None, one):
            continue
        try:
            names = sorted(os.listdir(os.path.join(state, one)))
        except FileNotFoundError:  # its last one has just been deleted
            continue
        for name in names:
            try:
                with open(os.path.join(state, one, name, "record"), encoding="utf-8") as file:
                    yield one, name, json.load(file)
            except FileNotFoundError:  # nothing was made yet, or it has just been deleted
                pass
            except ValueError:
                raise Refusal(RETRY, f"{state}/{one}/{name}/record: it is damaged; what it names "
                              "has to be removed by hand, then the folder") from None


# ---- the call


def call(name, verbs, root_for=None):
    request = {}
    if len(sys.argv) != 2 or sys.argv[1] not in verbs:
        raise bad_config(f"usage: {name} {'|'.join(verbs)}, with one JSON object on stdin")
    try:
        request = json.loads(sys.stdin.read(REQUEST_MAX))
    except ValueError as why:
        raise bad_config(f"stdin: not JSON: {why}") from None
    if not isinstance(request, dict):
        raise bad_config("stdin: not a JSON object")
    if root_for and sys.argv[1] != "capabilities" and os.geteuid():
        raise bad_config(f"{root_for} need root; run the agent as root")
    return verbs[sys.argv[1]](request)


def main(name, verbs, root_for=None):
    """One verb, one object on stdin, one on stdout. root_for: what needs root, if anything."""
    try:
        answer = call(name, verbs, root_for)
    except Refusal as refusal:
        print(f"{name}: {' '.join(str(refusal).split())}", file=sys.stderr)
        sys.exit(refusal.status)
    except OSError as why:
        print(f"{name}: {why}", file=sys.stderr)
        sys.exit(RETRY)
    json.dump(answer, sys.stdout)
    print()
