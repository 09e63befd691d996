# SPDX-License-Identifier: GPL-2.0-only
"""The lab: a load balancer, its clients and its backends in network namespaces.

      client            lb (sluiced)        web-1, web-2, ... (nginx, VIP on lo)
    [ eth0 ]           [ eth0 ]             [ eth0 ]
       |  veth            |  veth              |  veth
    [ client ]=========[ lb ]================[ vethN ]       bridge br0 in namespace "switch"

Clients have a host route to each VIP by way of lb, which holds no VIP; backends answer clients
directly. add_back() puts a second switch behind the balancer's eth1, with backends that have it as
their router. Everything lives in namespaces whose names start with the lab's prefix, below one
temporary folder and one bpffs folder, so that labs can run side by side and one cleanup() removes
all of it. Backends come from the same provisioner that the agent uses, tools/provisioners/netns.
"""

import contextlib
import http.client
import ipaddress
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
PROVISIONERS = os.path.join(ROOT, "tools", "provisioners")
PROVISIONER = os.path.join(PROVISIONERS, "netns")
BACK_SUBNET = {4: ipaddress.ip_network("198.19.0.0/16"), 6: ipaddress.ip_network("fd00:52::/64")}
SUBNET = {4: ipaddress.ip_network("198.18.0.0/16"), 6: ipaddress.ip_network("fd00:51::/64")}
VIP = {4: "203.0.113.80", 6: "2001:db8:80::80"}
LB_NUMBER, CLIENT_NUMBER, FIRST_BACKEND = 1, 20, 256
MTU, TUNNEL_ROOM = 1600, 100  # what is for a VIP still fits when a tunnel header is added
PREFIX = "sl"


class LabError(Exception):
    pass


def build_folder():
    return os.path.join(ROOT, os.environ.get("SLUICE_BUILD", "build"))


def wait_for(what, condition, timeout_s=30, pause_s=0.05):
    """Wait until condition() is true and return its value; what says what was waited for."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError(f"waited {timeout_s} s in vain: {what}")
        time.sleep(pause_s)


def execute(*argv, check=True, timeout=60, text=None):
    """Run a command to its end; its output as text. Whatever it started ends with it on failure."""
    argv = [str(word) for word in argv]
    with subprocess.Popen(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
                          start_new_session=True) as process:
        try:
            out, err = process.communicate(text, timeout)
        except BaseException as why:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(why, subprocess.TimeoutExpired):
                raise LabError(f"{' '.join(argv)}: still running after {timeout} s") from None
            raise
    if check and process.returncode:
        raise LabError(f"{' '.join(argv)}: exit status {process.returncode}: "
                       f"{err.strip()[-2000:]}")
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


class Node:
    """A namespace with a link to a switch; `number` is its host number in the subnets."""

    def __init__(self, lab, name, number, subnet=None):
        self.lab = lab
        self.name = name
        self.namespace = lab.prefix + name
        self.number = number
        self.subnet = subnet or SUBNET

    def address(self, family=4):
        return str(self.subnet[family][self.number])

    def inside(self, *argv):
        # `ip netns exec` would hide bpffs; nsenter enters the network alone.
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *map(str, argv)]

    def run(self, *argv, **options):
        return execute(*self.inside(*argv), **options)

    def spawn(self, *argv, **options):
        return self.lab.spawn(*self.inside(*argv), **options)

    def ip(self, *lines):
        execute("ip", "-netns", self.namespace, "-batch", "-", text="\n".join(lines) + "\n")

    def sysctl(self, **settings):
        self.run("sysctl", "-q", "-w",
                 *(f"{name.replace('__', '.')}={value}" for name, value in settings.items()))

    def counter(self, name, device="eth0"):
        """A counter of the device, such as rx_packets."""
        done = execute("ip", "-netns", self.namespace, "-json", "-stats", "link", "show", device)
        direction, what = name.split("_", 1)
        return json.loads(done.stdout)[0]["stats64"][direction][what]


class Load:
    """A running build/tools/load in a client's namespace; see the file's head for its words."""

    def __init__(self, node, vip, port=80, path="/"):
        self.latest = None
        self.node = node
        self.process = node.spawn(os.path.join(node.lab.build, "tools", "load"), vip, port, path,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        self.errors = []
        self.threads = [threading.Thread(target=self.read, daemon=True),
                        threading.Thread(target=self.read_errors, daemon=True)]
        for thread in self.threads:
            thread.start()

    def read(self):
        for line in self.process.stdout:
            self.latest = json.loads(line)

    def read_errors(self):
        self.errors.extend(self.process.stderr)

    def say(self, words):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()

    def rate(self, number):
        self.say(f"rate {number}")

    def keep(self, number, period_ms=50):
        self.say(f"keep {number} {period_ms}")

    def wait_answers(self, more=1, timeout_s=30):
        """Wait for so many more answers than there are now."""
        before = self.latest["answered"] if self.latest else 0
        wait_for(f"{more} more answers", lambda: self.latest and
                 self.latest["answered"] >= before + more, timeout_s)

    def finish(self):
        """Let it await what is under way; the totals, with what was told of failures."""
        self.say("quit")
        self.process.wait(60)
        for thread in self.threads:
            thread.join()
        return {**self.latest, "errors": self.errors}


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("sluice", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Agent:
    """A running sluiced. What is pinned stays when it stops."""

    def __init__(self, lab, config, wait=True):
        self.lab = lab
        self.config = config
        self.log_path = lab.path("sluiced.log")
        self.log = open(self.log_path, "ab")
        self.process = lab.lb.spawn(lab.sluiced, "--config", config, stdout=self.log,
                                    stderr=self.log)
        if wait:
            self.wait_ready()

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise LabError(f"sluiced ended, exit status {self.process.returncode}:\n"
                               f"{self.log_tail()}")
            try:
                return self.lab.api("GET", "/v1/status")["pid"] == self.process.pid
            except (OSError, http.client.HTTPException):
                return False
        wait_for("sluiced answers on its socket", ready)

    def log_tail(self, size=4000):
        with open(self.log_path, "rb") as file:
            file.seek(max(0, os.path.getsize(self.log_path) - size))
            return file.read().decode(errors="replace")

    def stop(self, signal_number=signal.SIGTERM, timeout_s=30):
        """Send a signal, wait for the end, return the exit status (negative: by that signal)."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise LabError(f"sluiced did not end by signal {signal_number}") from None
        self.log.close()
        return self.process.returncode


class Lab:
    """All of it. A context manager; cleanup() may be called at any time, from any state."""

    serial = 0

    def __init__(self, build=None, mtu=MTU):
        Lab.serial += 1
        self.id = f"{PREFIX}{os.getpid()}n{Lab.serial}"
        self.prefix = self.id + "-"
        self.build = build or build_folder()
        self.mtu = mtu
        self.sluiced = os.path.join(self.build, "sluiced")
        self.sluice_path = os.path.join(self.build, "sluice")
        self.pin_dir = f"/sys/fs/bpf/{self.id}"
        # Named before it is made, so that no interruption can leave it behind unknown.
        self.folder = os.path.join(tempfile.gettempdir(), f"{self.prefix}{secrets.token_hex(4)}")
        # A copy that root owns: the agent runs nothing that the owner of a checkout can change.
        self.provisioner = self.path("provisioners", "netns")
        self.processes = []
        self.agent = None
        self.vips = set()
        self.clients = []
        self.backends = {}
        self.lock = threading.Lock()

    def __enter__(self):
        try:
            self.set_up()
        except BaseException:
            self.cleanup()
            raise
        return self

    def __exit__(self, *_):
        self.cleanup()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    # ---- the network

    def set_up(self):
        sweep()
        if not os.path.ismount("/sys/fs/bpf"):
            execute("mount", "-t", "bpf", "bpffs", "/sys/fs/bpf")
        os.mkdir(self.folder, 0o700)
        shutil.copytree(PROVISIONERS, self.path("provisioners"))
        self.switch = self.add_switch("switch")
        self.lb = self.add_node("lb", LB_NUMBER)
        self.make_target(self.switch)
        self.client = self.add_client("client")

    def add_switch(self, name):
        switch = Node(self, name, 0)
        execute("ip", "netns", "add", switch.namespace)
        switch.ip("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                  f"link set br0 mtu {self.mtu} up")
        return switch

    def make_target(self, switch):
        """What XDP sends into a veth arrives only if the other end has a native program too."""
        switch.ip("link set dev lb xdpdrv obj "
                  f"{os.path.join(self.build, 'bpf', 'pass.bpf.o')} sec xdp.frags")

    def add_back(self):
        """The second segment; the balancer's host routes what its backends answer."""
        self.back = self.add_switch("back")
        router = Node(self, "lb", LB_NUMBER, BACK_SUBNET)
        self.add_link(router, "eth1", self.back)
        self.make_target(self.back)
        router.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)

    def add_node(self, name, number):
        node = Node(self, name, number)
        execute("ip", "netns", "add", node.namespace)
        node.ip("link set lo up")
        self.add_link(node, "eth0", self.switch)
        return node

    def add_link(self, node, device, switch):
        shape = f"mtu {self.mtu} numtxqueues 2 numrxqueues 2".split()
        execute("ip", "link", "add", device, "netns", node.namespace, *shape, "type", "veth",
                "peer", "name", node.name, "netns", switch.namespace, *shape)
        for one, end in (node, device), (switch, node.name):
            one.run("ethtool", "-K", end, "tx", "off", "tso", "off", "gso", "off", "gro", "off")
        node.sysctl(**{f"net__ipv4__conf__{one}__{name}": 0 for one in ("all", device)
                       for name in ("send_redirects", "rp_filter")},
                    **{f"net__ipv6__conf__{device}__{name}": 0
                       for name in ("accept_ra", "accept_dad")})
        node.ip(*(f"addr add {node.address(family)}/{node.subnet[family].prefixlen} dev {device}"
                  f"{' nodad' * (family == 6)}" for family in (4, 6)),
                f"link set {device} up")
        switch.ip(f"link set {node.name} master br0 up")

    def add_client(self, name):
        node = self.add_node(name, CLIENT_NUMBER + len(self.clients))
        # Many short connections: ports must not run out.
        node.sysctl(net__ipv4__ip_local_port_range="1024 65535", net__ipv4__tcp_tw_reuse=1)
        self.clients.append(node)
        for vip in self.vips:
            self.route(node, vip)
        return node

    def route(self, node, vip):
        family = ipaddress.ip_address(vip).version
        node.ip(f"route replace {vip} via {self.lb.address(family)} "
                f"mtu lock {self.mtu - TUNNEL_ROOM}")

    def add_vip(self, vip):
        """Clients reach the VIP by way of lb."""
        if vip not in self.vips:
            self.vips.add(vip)
            for client in self.clients:
                self.route(client, vip)

    # ---- backends

    def options(self, **more):
        """Options of the provisioner for backends of this lab."""
        return {"bridge_ns": self.switch.namespace, "bridge": "br0", "prefix": self.prefix,
                "subnet4": str(SUBNET[4]), "subnet6": str(SUBNET[6]),
                "first": str(FIRST_BACKEND), "mtu": str(self.mtu),
                "objects": os.path.join(self.build, "bpf"), "state": self.path("netns"),
                **{name: str(value) for name, value in more.items()}}

    def option_list(self, **more):
        """The same as a config writes them."""
        return [f"{name}={value}" for name, value in self.options(**more).items()]

    def provision(self, verb, check=True, **request):
        done = execute(PROVISIONER, verb, text=json.dumps(request), check=check)
        return json.loads(done.stdout) if check else done

    def add_backend(self, name, vip, mode="l2", family=4, port=80, back=False):
        """A backend in a namespace of its own; `family` is that of .target, its address."""
        self.add_vip(vip)
        options = self.options(family=family)
        if back:
            options.update(bridge_ns=self.back.namespace, subnet4=str(BACK_SUBNET[4]),
                           subnet6=str(BACK_SUBNET[6]), gateway=str(LB_NUMBER))
        self.provision("create", owner="lab", name=name, spec=options,
                       service={"name": "lab", "vip": vip, "protocol": "tcp", "port": port,
                                "mode": mode})
        with open(self.path("netns", "lab", name, "record"), encoding="utf-8") as file:
            node = Node(self, name, json.load(file)["number"], BACK_SUBNET if back else SUBNET)
        node.target = node.address(family)
        self.backends[name] = node
        return node

    def remove_backend(self, name):
        self.provision("delete", owner="lab", name=name, spec=self.options())
        del self.backends[name]

    # ---- agent and CLI

    @property
    def socket(self):
        return self.path("sluice.sock")

    def agent_config(self):
        return {"pin_dir": self.pin_dir, "socket": self.socket, "state_dir": self.path("state"),
                "metrics": "127.0.0.1:9980", "owner": "lab-agent"}

    def write_config(self, services, name="sluice.yaml", attach=True, icmp=None, tunnel=None,
                     limits=None, **agent):
        """Write a config file; JSON is YAML. Returns its path."""
        config = {"agent": {**self.agent_config(), **agent},
                  "limits": {"services": 16, "backends": 512, "slots": 1048576, "flows": 65536,
                             **(limits or {})},
                  "interfaces": [{"name": "eth0", "mode": "native"}] if attach else [],
                  "services": services}
        if not config["interfaces"]:
            del config["interfaces"]
        if icmp:
            config["icmp"] = icmp
        if tunnel:
            config["tunnel"] = tunnel
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file, indent=2)
        for service in services:
            self.add_vip(service["vip"])
        return path

    def start_agent(self, config, wait=True):
        self.agent = Agent(self, config, wait)
        return self.agent

    def sluice(self, *argv, check=True, timeout=60, text=None):
        """Run the CLI against this lab's agent."""
        return execute(self.sluice_path, "--socket", self.socket, *argv, check=check,
                       timeout=timeout, text=text)

    def sluice_json(self, *argv):
        return json.loads(self.sluice(*argv, "--json").stdout)

    def api(self, method, path, body=None):
        """One request to the agent; the JSON of its answer. Raises LabError on 4xx and 5xx."""
        with contextlib.closing(UnixConnection(self.socket)) as connection:
            text = body if body is None or isinstance(body, str) else json.dumps(body)
            connection.request(method, path, text)
            response = connection.getresponse()
            answer = response.read().decode()
        if response.status >= 400:
            raise LabError(f"{method} {path}: {response.status} {answer}")
        return json.loads(answer)

    def service(self, name):
        return self.api("GET", f"/v1/services/{name}")

    def metrics(self):
        return self.lb.run("curl", "-sS", "--fail", "--max-time", "20",
                           "http://127.0.0.1:9980/metrics").stdout

    # ---- processes and the end

    def spawn(self, *argv, **options):
        """Start a command in a session of its own; cleanup() ends it if it still runs."""
        options.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen([str(word) for word in argv], start_new_session=True, **options)
        with self.lock:
            self.processes.append(process)
        return process

    def cleanup(self):
        """Remove everything. Ctrl-C waits meanwhile."""
        main = threading.current_thread() is threading.main_thread()
        saved = {number: signal.signal(number, signal.SIG_IGN)
                 for number in (signal.SIGINT, signal.SIGTERM)} if main else {}
        try:
            for process in self.processes:
                if process.poll() is None:
                    process.kill()
                process.wait()
                for pipe in process.stdin, process.stdout, process.stderr:
                    if pipe:
                        pipe.close()
            self.processes.clear()
            await_commands()
            remove_lab(self.id)
            shutil.rmtree(self.folder, ignore_errors=True)
        finally:
            for number, handler in saved.items():
                signal.signal(number, handler)


def await_commands():
    """Wait for `ip` commands that still run: an interrupt between a fork and its parent's knowing
    of the child cuts it loose, and it would make its namespace after all have been removed."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        children = pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        if "ip" not in (command_name(child) for child in children):
            return
        time.sleep(0.02)


def command_name(pid):
    """What a process runs, or None if it has ended."""
    with contextlib.suppress(OSError):
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
        name, state = text[text.index("(") + 1:].rsplit(") ", 1)
        return None if state.startswith("Z") else name
    return None


def remove_lab(lab_id):
    """Remove namespaces, what runs in them, and pins of a lab."""
    names = [name for name in namespaces() if name.startswith(lab_id + "-")]
    deadline = time.monotonic() + 20
    # A provisioner that is just being killed may have made one more: look until none is left.
    while names and time.monotonic() < deadline:
        for name in names:
            kill_inside(name)
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        names = [name for name in namespaces() if name.startswith(lab_id + "-")]
    shutil.rmtree(f"/sys/fs/bpf/{lab_id}", ignore_errors=True)


def kill_inside(namespace):
    for _ in range(200):
        done = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True,
                              check=False)
        pids = [int(word) for word in done.stdout.split()]
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def namespaces():
    return os.listdir("/run/netns") if os.path.isdir("/run/netns") else []


def sweep():
    """Remove labs whose process was killed before it could clean up."""
    for name in namespaces():
        lab_id = name.split("-")[0]
        owner = lab_id[len(PREFIX):].split("n")[0]
        if name.startswith(PREFIX) and owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            remove_lab(lab_id)
            for folder in os.listdir(tempfile.gettempdir()):
                if folder.startswith(lab_id + "-"):
                    shutil.rmtree(os.path.join(tempfile.gettempdir(), folder), ignore_errors=True)
