# SPDX-License-Identifier: GPL-2.0-only
"""What the cases "flows/..." share: keeper servers, held connections, pools that change.

A service here is one of keeper servers, on a port of its own beside the backends' nginx. It is
added over the API, not by the config, so that a restarted agent has its pool from its own state.
"""

import contextlib
import copy
import ctypes
import http.client
import json
import os
import random
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from lib.world import VIP, LabError, wait_for, wait_reachable

PORT = 7000
SECOND_NUMBER = 2  # host number of the second load balancer
CLONE_NEWNET = 0x40000000
UNANSWERED = (OSError, http.client.HTTPException)  # what a call gets when the agent is killed


@contextlib.contextmanager
def inside(node):
    """This thread is in the node's network; sockets that it makes stay there."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(path):
        with open(path, "rb") as file:
            if libc.setns(file.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)

    with open("/proc/thread-self/ns/net", "rb") as home:
        enter(f"/run/netns/{node.namespace}")
        try:
            yield
        finally:
            libc.setns(home.fileno(), CLONE_NEWNET)


def keeper_path(lab):
    return os.path.join(lab.build, "tools", "keeper")


def add_nodes(lab, count, family=4, mode="l2", ports=(PORT,)):
    """Namespaces web-1 ... with a keeper server on each of the ports of the VIP."""
    lab.add_vip(VIP[family])
    names = [f"web-{number}" for number in range(1, count + 1)]
    with ThreadPoolExecutor(4) as threads:
        nodes = list(threads.map(
            lambda name: lab.add_backend(name, VIP[family], mode, family), names))
    for node in nodes:
        for port in ports:
            server = node.spawn(keeper_path(lab), "serve", VIP[family], port, node.name,
                                stdout=subprocess.PIPE, text=True)
            assert server.stdout.readline() == "ready\n", f"{node.name}: keeper does not serve"
    return nodes


def service(name="web", port=PORT, family=4, mode="l2", **more):
    return {"name": name, "vip": VIP[family], "protocol": "tcp", "port": port, "mode": mode,
            "backends_max": 32, **more}


def write_config(lab, services, name="sluice.yaml", timeouts=None, limits=None):
    """A config of the lab with short times for what has ended. Returns its path."""
    path = lab.write_config(services, name)
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    # A flow that the table did not know before it ended is left on probation by its last packet.
    config["timeouts"] = {"closing_ms": 1000, "probation_ms": 4000, **(timeouts or {})}
    config["limits"].update(limits or {})
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
    return path


def start(lab, nodes, *services, size=None, **options):
    """Start the agent and add these services, the first `size` nodes in each pool; the pools.

    A new service's slots are settled: with minimal tracking its flows have no entries at first.
    """
    lab.start_agent(write_config(lab, [], **options))
    for one in services:
        lab.add_vip(one["vip"])
        lab.api("POST", "/v1/services", {**one, "backends": [
            {"name": node.name, "address": node.target} for node in nodes[:size]]})
        wait_reachable(lab, one["name"])
        assert lab.service(one["name"])["unsettled"] == 0
    return [Pool(lab, nodes, one) for one in services]


def second_balancer(lab):
    """Another load balancer in the same lab: a Lab that differs in `lb`, its folder and its pins.

    To be called before the first one's agent starts.
    """
    second = copy.copy(lab)
    second.lb = lab.add_node("lb2", SECOND_NUMBER)
    # What XDP sends into a veth arrives only if the other end has a native program too.
    lab.switch.ip("link set dev lb2 xdpdrv obj "
                  f"{os.path.join(lab.build, 'bpf', 'pass.bpf.o')} sec xdp.frags")
    second.folder = lab.path("second")
    os.mkdir(second.folder)
    os.makedirs(lab.pin_dir, exist_ok=True)
    second.pin_dir = os.path.join(lab.pin_dir, "second")
    lab.pin_dir = os.path.join(lab.pin_dir, "first")
    return second


class Holder:
    """A running `keeper hold`; its numbers are dictionaries as keeper prints them."""

    def __init__(self, lab, vip, port):
        self.opened = 0
        self.process = lab.client.spawn(keeper_path(lab), "hold", vip, port,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise LabError(f"keeper ended, exit status {self.process.wait()}")
        return json.loads(answer)

    def open(self, count, period_ms=0):
        self.opened += count
        return self.ask(f"open {count} {period_ms}")

    def status(self):
        return self.ask("status")

    def settle(self, timeout_s=30):
        return self.ask(f"settle {timeout_s * 1000}")

    def wake(self, timeout_s=30):
        """Every connection speaks; the numbers when all have had time to be answered."""
        self.ask("wake")
        return self.settle(timeout_s)

    def leave(self, name):
        return self.ask(f"leave {name}")

    def wait_answers(self, more, timeout_s=60):
        goal = self.status()["answered"] + more
        wait_for(f"{more} more answers to held connections",
                 lambda: self.status()["answered"] >= goal, timeout_s)


class Pool:
    """A service's backends and the connections that are held to it."""

    def __init__(self, lab, nodes, config):
        self.lab = lab
        self.name = config["name"]
        self.config = config
        self.nodes = {node.name: node for node in nodes}
        self.holder = Holder(lab, config["vip"], config["port"])

    def call(self, method, suffix="", body=None):
        return self.lab.api(method, f"/v1/services/{self.name}/backends{suffix}", body)

    def add(self, name, weight=100):
        return self.call("POST", body={"name": name, "address": self.nodes[name].target,
                                       "weight": weight})

    def remove(self, name):
        return self.call("DELETE", f"/{name}")

    def drain(self, name, deadline_s=None):
        body = {} if deadline_s is None else {"deadline_s": deadline_s}
        return self.call("POST", f"/{name}/drain", body)

    def undrain(self, name):
        return self.call("POST", f"/{name}/undrain", {})

    def weight(self, name, weight):
        return self.call("PUT", f"/{name}/weight", {"weight": weight})

    def backends(self):
        return {one["name"]: one for one in self.call("GET")["backends"]}

    def service(self):
        return self.lab.service(self.name)

    def live(self, name):
        return self.backends()[name]["live_flows"]

    def servers(self):
        return self.holder.status()["servers"]

    def open_until(self, what, condition, count=20, period_ms=0, most=4000):
        """Open connections, some at a time, until condition(servers) is true; the servers."""
        while not condition(self.servers()):
            assert self.holder.opened < most, f"{most} connections, in vain: {what}"
            self.holder.open(count, period_ms)
            self.holder.settle()
        return self.servers()

    def open_everywhere(self, least=5, **options):
        """Open until every active backend serves some; the servers."""
        names = [name for name, one in self.backends().items() if one["state"] == "active"]
        return self.open_until("every active backend serves some", lambda servers: all(
            servers.get(name, 0) >= least for name in names), **options)

    def empty(self, name):
        """Every connection on a backend that takes no new ones leaves; wait for the agent to see."""
        def gone():
            self.holder.leave(name)  # again: a connection may learn who serves it only now
            return self.live(name) == 0
        self.holder.settle()
        wait_for(f"{name} of {self.name} has no live flow", gone, 60, 0.1)

    def unbroken(self, wake=True):
        """Every connection that was opened and has not left is open and answered; the numbers."""
        status = self.holder.wake() if wake else self.holder.settle()
        assert status["broken"] == 0 and status["stalled"] == 0, f"{self.name}: {status}"
        assert status["open"] == self.holder.opened - status["left"] > 0, f"{self.name}: {status}"
        assert sum(status["servers"].values()) == status["open"], f"{self.name}: {status}"
        return status


class Churn:
    """Changes of pools at random, while connections are held and more are opened.

    Planned changes only: a backend is removed after it was drained and its connections have left.
    SLUICE_SEED in the environment repeats a run.
    """

    VERBS = ("add", "drain", "undrain", "weight", "remove")
    WEIGHTS = (0, 1, 20, 50, 100, 150, 300)

    def __init__(self, context, *pools):
        seed = int(os.environ.get("SLUICE_SEED", random.randrange(1 << 32)))
        context.log(f"SLUICE_SEED={seed}")
        self.context = context
        self.random = random.Random(seed)
        self.pools = pools
        self.done = {pool.name: dict.fromkeys(self.VERBS, 0) for pool in pools}
        self.deck = []
        self.moved = dict.fromkeys(self.done, 0)

    def candidates(self, verb, backends, pool):
        """The backends that a verb may be done to; two always take new flows."""
        draining = [name for name, one in backends.items() if one["state"] == "draining"]
        taking = [name for name, one in backends.items() if one["weight_effective"] > 0]
        return {"add": [name for name in pool.nodes if name not in backends],
                "drain": taking if len(taking) > 2 else [],
                "undrain": draining,
                "weight": [name for name, one in backends.items() if one["state"] == "active"],
                "remove": draining}[verb]

    def choose(self):
        """In a random order, what was done least first, as far as there is a backend it fits."""
        while True:
            for number, (pool, verb) in enumerate(self.deck):
                backends = pool.backends()
                names = self.candidates(verb, backends, pool)
                if names:
                    del self.deck[number]
                    return pool, verb, self.random.choice(names), backends
            self.deck = [(pool, verb) for pool in self.pools for verb in self.VERBS]
            self.random.shuffle(self.deck)
            self.deck.sort(key=lambda entry: self.done[entry[0].name][entry[1]])

    def act(self, pool, verb, name, backends):
        """Do it; a function that says whether a pool's backends show it."""
        weight = self.random.choice(self.WEIGHTS)
        if verb in ("weight", "add") and sum(
                one["weight_effective"] > 0 for one in backends.values()) <= 2:
            weight = weight or 100
        self.context.log(f"{pool.name}: {verb} {name} ({weight})")
        if verb == "add":
            pool.add(name, weight)
            return lambda now: now[name]["state"] == "active" and now[name]["weight"] == weight
        if verb == "weight":
            pool.weight(name, weight)
            return lambda now: now[name]["weight_runtime"] == weight
        if verb == "remove":
            pool.empty(name)
            pool.remove(name)
            return lambda now: name not in now
        getattr(pool, verb)(name)
        state = "draining" if verb == "drain" else "active"
        return lambda now: now[name]["state"] == state

    def step(self):
        pool, verb, name, backends = self.choose()
        before = pool.service()["digest"]
        seen = self.act(pool, verb, name, backends)
        assert seen(pool.backends()), f"{verb} {name} was answered and is not seen"
        self.count(pool, verb, before)

    def count(self, pool, verb, digest_before):
        self.done[pool.name][verb] += 1
        self.moved[pool.name] += pool.service()["digest"] != digest_before
        pool.holder.open(self.random.randint(1, 6), self.random.choice((0, 100, 200, 350)))

    def enough(self):
        return all(count for counts in self.done.values() for count in counts.values())

    def run(self, seconds, step=None):
        """Go on for so long, and until everything has been done to every pool."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline or not self.enough():
            (step or self.step)()
            time.sleep(self.random.random() * 0.3)  # traffic goes on in every state of the pool
        self.context.log(f"done: {self.done}, tables changed: {self.moved}")
        for pool in self.pools:
            assert self.moved[pool.name] > 3, f"the tables of {pool.name} hardly changed"
