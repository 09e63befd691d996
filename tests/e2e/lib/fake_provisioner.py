#!/usr/bin/python3 -IS
# SPDX-License-Identifier: GPL-2.0-only
"""A provisioner whose objects exist in a file only, and whose world may be made as bad as one likes.

As an executable: the verbs of docs/API.md; option `world` names the folder. As a module: Fake, by
which a test makes that folder, says how bad it is, and judges what is in it.

What is asked for takes effect late if the call is cut off before it is done; a deletion does not see
what is not there yet, and succeeds; a list is as old as it may be.
"""

import fcntl
import json
import os
import random
import sys
import time

CALM = {"delay_ms": 0, "late_ms": 0, "lag_ms": 0, "work_ms": 0, "fail": 0.0, "lost": 0.0,
        "hang": 0.0, "retry": 0.0, "going_on": 0.0, "seed": 1, "verbs": ["create", "delete", "list"]}


class World:
    """The file, locked while it is open; what was changed is written at the end, or not at all."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        self.lock = open(os.path.join(self.folder, "lock"), "ab")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        with open(os.path.join(self.folder, "world"), encoding="utf-8") as file:
            self.data = json.load(file)
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            path = os.path.join(self.folder, "world")
            with open(path + ".new", "w", encoding="utf-8") as file:
                json.dump(self.data, file)
            os.rename(path + ".new", path)
        self.lock.close()

    def there(self, name, when=None):
        one = self.data["objects"].get(name)
        when = time.time() if when is None else when
        return bool(one) and one["from"] <= when and not (one["until"] and one["until"] <= when)

    def names(self, owner, when=None):
        return sorted(name for name, one in self.data["objects"].items()
                      if one["owner"] == owner and self.there(name, when))


class Fake:
    """The provisioner and its world, for a test. nodes: addresses that objects may have."""

    def __init__(self, lab, nodes, **how):
        self.folder = lab.path("fake")
        self.path = lab.path("fake-provisioner")
        os.makedirs(self.folder)
        with open(__file__, "rb") as source, open(self.path, "wb") as target:
            target.write(source.read())
        os.chmod(self.path, 0o700)
        with open(os.path.join(self.folder, "world"), "w", encoding="utf-8") as file:
            json.dump({"how": {**CALM, **how}, "objects": {}, "nodes": nodes, "calls": []}, file)

    def options(self):
        return [f"world={self.folder}"]

    def world(self):
        return World(self.folder)

    def be(self, **how):
        with self.world() as world:
            world.data["how"].update(how)

    def add(self, name, owner, address="192.0.2.250"):
        with self.world() as world:
            world.data["objects"][name] = {"owner": owner, "from": 0, "until": 0, "spec": {},
                                           "address": address}

    def names(self, owner):
        with self.world() as world:
            return world.names(owner)

    def pending(self):
        """What is to come yet."""
        with self.world() as world:
            now = time.time()
            return [name for name, one in world.data["objects"].items() if one["from"] > now]

    def calls(self):
        with self.world() as world:
            return world.data["calls"]


def refuse(status, text):
    print(text, file=sys.stderr)
    sys.exit(status)


def fault_of(world, verb):
    """What goes wrong with this call, or ""."""
    how = world.data["how"]
    if verb not in how["verbs"]:
        return ""
    chance = random.Random(f"{how['seed']} {len(world.data['calls'])}").random()
    for fault in "fail", "hang", "lost", "retry", "going_on":
        if fault == "going_on" and verb != "create":
            continue
        if chance < how[fault]:
            return fault
        chance -= how[fault]
    return ""


def vip_set(world, one, there):
    """With nodes that have namespaces, what is deleted really serves no more."""
    node = world.data["nodes"].get(one["address"])
    if node:
        os.spawnvp(os.P_WAIT, "ip", ["ip", "-netns", node["namespace"], "address",
                                     "replace" if there else "del", node["vip"], "dev", "lo"])


def create_begin(world, name, owner, spec):
    """The request is on its way: it will take effect, whatever becomes of the call."""
    objects, now = world.data["objects"], time.time()
    one = objects.get(name)
    if one and one["owner"] != owner:
        refuse(14, f"{name} is {one['owner']}'s")
    if one and (one["from"] > now or world.there(name)):
        if one["spec"] != spec:
            refuse(14, f"{name} is there, and not the same")
        return one
    lag = world.data["how"]["lag_ms"] / 1000
    used = {other["address"] for other in objects.values()
            if not other["until"] or other["until"] > now}
    free = sorted(set(world.data["nodes"]) - used)
    if not free:
        refuse(11, f"all {len(world.data['nodes'])} are in use")
    objects[name] = {"owner": owner, "spec": spec, "address": free[0], "until": 0,
                     "from": now + world.data["how"]["late_ms"] / 1000, "lag": lag}
    return objects[name]


def create(folder, request):
    name, owner = request["name"], request["owner"]
    spec = {"spec": request["spec"], "service": request["service"]}
    with World(folder) as world:
        fault = fault_of(world, "create")
        world.data["calls"].append(["create", owner, name, fault])
        how = world.data["how"]
        if fault != "fail":
            one = create_begin(world, name, owner, spec)
    if fault == "fail":
        refuse(1, "no machine today")
    time.sleep(how["work_ms"] / 1000)
    if fault == "hang":
        time.sleep(1000)
    if fault == "retry":
        refuse(10, "busy")
    if fault == "going_on":
        refuse(15, "booting")
    with World(folder) as world:
        one = world.data["objects"].get(name, one)
        one["from"] = min(one["from"], time.time())
        vip_set(world, one, True)
    if fault == "lost":
        sys.exit(1)
    return {"name": name, "address": one["address"]}


def delete(folder, request):
    name, owner = request["name"], request["owner"]
    with World(folder) as world:
        fault = fault_of(world, "delete")
        world.data["calls"].append(["delete", owner, name, fault])
        how = world.data["how"]
    if fault == "fail":
        refuse(1, "not today")
    time.sleep(how["work_ms"] / 1000)
    with World(folder) as world:
        one = world.data["objects"].get(name)
        if one and one["owner"] == owner and world.there(name):
            one["until"] = time.time()
            vip_set(world, one, False)
    if fault == "hang":
        time.sleep(1000)
    if fault == "lost":
        sys.exit(1)
    return {}


def listing(folder, request):
    with World(folder) as world:
        how = world.data["how"]
        fault = fault_of(world, "list")
        world.data["calls"].append(["list", request["owner"], "", fault])
        names = world.names(request["owner"], time.time() - how["lag_ms"] / 1000)
        answer = [{"name": name, "address": world.data["objects"][name]["address"]}
                  for name in names]
    if fault in ("fail", "retry", "lost"):
        refuse(1, "no list today")
    if fault == "hang":
        time.sleep(1000)
    # Those of others must not be in a list; here they are, and have to be left alone.
    return {"backends": answer + [{"name": "web-other-5"}, {"name": "web-lab-agent"},
                                  {"name": "web-lab-agent-5x"}, {"name": "database"}]}


def main():
    verb, request = sys.argv[1], json.load(sys.stdin)
    folder = request["spec"]["world"]
    if verb == "capabilities":
        with World(folder) as world:
            answer = {"verbs": ["create", "delete", "list"],
                      "consistency_delay_ms": world.data["how"]["delay_ms"]}
    else:
        answer = {"create": create, "delete": delete, "list": listing}[verb](folder, request)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
