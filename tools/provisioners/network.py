# SPDX-License-Identifier: GPL-2.0-only
"""What provisioners share whose backends hang on a bridge: numbers, addresses, namespaces.

      bridge namespace                    PREFIX + NAME
    [ bridge ]--[ veth NUMBER ]========[ eth0  address NUMBER of the subnets ]
                                       [ lo    the VIP, unless in mode nat   ]
"""

import contextlib
import ctypes
import ipaddress
import os
import re
import signal
import socket
import subprocess
import time

import contract
from contract import CONFLICT, QUOTA, RETRY, Refusal, bad_config, run

SUBNET_OPTIONS = {
    "bridge_ns": ("", "network namespace of the bridge"),
    "bridge": ("br0", "the bridge in it"),
    "subnet4": ("", "IPv4 network on the bridge, address/length"),
    "subnet6": ("", "IPv6 network on the bridge, address/length"),
    "gateway": ("", "host number of the default router in the subnets"),
    "first": ("2", "host number of the first backend in the subnets"),
    "count": ("250", "how many backends there may be"),
    "family": ("", "4 or 6: which of its addresses a backend is reached by"),
}
OPTIONS = {
    **SUBNET_OPTIONS,
    "prefix": ("sluice-", "what the names of the backends' namespaces start with"),
    "mtu": ("1500", "of the backend's link"),
    "objects": (os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."),
                "folder of decap.bpf.o"),
}
STALL_S = 1  # for the kernel to deliver some of what a server left to it


def options_check(options):
    """Turn numbers and subnets of the options into such, in place."""
    for name, low, high in ("first", 1, 1 << 20), ("count", 1, 1 << 16), ("mtu", 1280, 9000):
        if name in options:
            contract.number_of(options, name, low, high)
    if options["gateway"] and not re.fullmatch(r"[1-9]\d{0,6}", options["gateway"]):
        raise bad_config(f"option gateway: {options['gateway']} is not a host number")
    for version in "4", "6":
        text = options["subnet" + version]
        if not text:
            continue
        try:
            network = ipaddress.ip_network(text)
        except ValueError as why:
            raise bad_config(f"option subnet{version}: {why}") from None
        if str(network.version) != version:
            raise bad_config(f"option subnet{version}: {text} is not IPv{version}")
        options["subnet" + version] = network
        options["family"] = options["family"] or version
    if not options["family"]:
        raise bad_config("option subnet4 or subnet6: missing; it is the network on the bridge")
    if options["family"] not in ("4", "6") or not options["subnet" + options["family"]]:
        raise bad_config(f"option family: there is no subnet{options['family']}")


def bridge_check(options):
    name, bridge = options["bridge_ns"], options["bridge"]
    if name and not os.path.exists(f"/run/netns/{name}"):
        raise bad_config(f"option bridge_ns: there is no namespace {name}")
    done = subprocess.run([*inside(name), "ip", "link", "show", bridge], capture_output=True)
    if done.returncode:
        raise bad_config(f"option bridge: there is no {bridge} in "
                         f"{'namespace ' + name if name else 'this namespace'}")


def inside(namespace):
    """What goes in front of a command that is for a namespace; "": for the one that we are in."""
    return ["nsenter", f"--net=/run/netns/{namespace}"] if namespace else []


def ip_batch(namespace, *lines):
    run("ip", *(["-netns", namespace] if namespace else []), "-batch", "-",
        text="\n".join(lines) + "\n")


@contextlib.contextmanager
def entered(namespace):
    """Be in a network namespace for the block."""
    def enter(file):
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0x40000000):  # CLONE_NEWNET
            raise Refusal(RETRY, f"{namespace}: {os.strerror(ctypes.get_errno())}")

    with open("/proc/self/ns/net", "rb") as before, open(f"/run/netns/{namespace}", "rb") as file:
        enter(file)
        try:
            yield
        finally:
            enter(before)


def mac_of(number):
    """An address that is used again keeps its MAC, so that no neighbour entry misleads."""
    return "02:51:00:" + ":".join(f"{octet:02x}" for octet in number.to_bytes(3, "big"))


class Numbered(contract.Record):
    """A backend with a host number in the subnets."""

    def __init__(self, options, owner, name):
        super().__init__(options["state"], owner, name)
        self.options = options

    def address(self, version):
        subnet = self.options["subnet" + version]
        return subnet[self.record["number"]] if subnet else None

    def answer(self):
        size = {"size": self.record["size"]} if "size" in self.record else {}
        return {"name": self.name, "address": str(self.address(self.options["family"])), **size}

    def reserve(self, request, **more):
        """Write the record, with a host number that no other backend of the state folder has."""
        asked = {"service": request["service"], "spec": request["spec"]}
        if self.same_or_conflict(asked):
            return
        with contract.Lock(os.path.join(self.options["state"], "lock")):
            taken = {record["number"] for _, _, record in contract.records(self.options["state"])}
            first = self.options["first"]
            for number in range(first, first + self.options["count"]):
                if number not in taken:
                    break
            else:
                raise Refusal(QUOTA, f"{self.name}: all {self.options['count']} are in use")
            for version in "4", "6":
                subnet = self.options["subnet" + version]
                if subnet and number >= subnet.num_addresses - (version == "4"):
                    raise Refusal(QUOTA, f"{self.name}: {subnet} has no address {number}")
            self.write({"number": number, **asked, **more})


class Housed(Numbered):
    """A backend in a network namespace of its own."""

    def __init__(self, options, owner, name):
        super().__init__(options, owner, name)
        self.namespace = options["prefix"] + name

    def reserve(self, request, **more):
        """A namespace of this name that is nobody's record is not ours to replace."""
        fresh = not self.record
        super().reserve(request, **more)
        if fresh and self.exists():
            self.forget()
            raise Refusal(CONFLICT, f"{self.namespace}: a namespace of this name is there and was "
                          "not made for it; remove it, or give another prefix")

    def served(self, service):
        """The address that clients' packets have when they get here."""
        return self.address(self.options["family"]) if service["mode"] == "nat" else service["vip"]

    def exists(self):
        return os.path.exists(f"/run/netns/{self.namespace}")

    def complete(self):
        """Whether a call before this one went all the way."""
        return os.path.exists(self.path("ready")) and self.exists()

    def make_namespace(self, service):
        options = self.options
        link = f"veth{self.record['number']}"
        run("ip", "netns", "add", self.namespace)
        mtu = f"mtu {options['mtu']} numtxqueues 2 numrxqueues 2"
        run("ip", "link", "add", "eth0", "netns", self.namespace, "address",
            mac_of(self.record["number"]), *mtu.split(), "type", "veth", "peer", "name", link,
            "netns", options["bridge_ns"] or str(os.getpid()), *mtu.split())
        for namespace, device in (self.namespace, "eth0"), (options["bridge_ns"], link):
            run(*inside(namespace), "ethtool", "-K", device,
                "tx", "off", "tso", "off", "gso", "off", "gro", "off")
        # The VIP is served, but never claimed by ARP: the load balancer is the way to it.
        run(*inside(self.namespace), "sysctl", "-q", "-w",
            *(f"net.ipv4.conf.{device}.{name}={value}" for device in ("all", "eth0")
              for name, value in (("arp_ignore", 1), ("arp_announce", 2), ("rp_filter", 0))),
            "net.ipv6.conf.eth0.accept_ra=0", "net.ipv6.conf.eth0.accept_dad=0",
            "net.ipv4.ip_unprivileged_port_start=0")
        ip_batch(self.namespace,
                 *(f"addr add {self.address(version)}/{options['subnet' + version].prefixlen} "
                   f"dev eth0{' nodad' * (version == '6')}"
                   for version in ("4", "6") if self.address(version)),
                 *(f"addr add {vip} dev lo{' nodad' * (vip.version == 6)}"
                   for vip in [service["vip"]] if service["mode"] != "nat"),
                 "link set lo up", "link set eth0 up",
                 *(f"route add default via {options['subnet' + version][int(options['gateway'])]}"
                   for version in ("4", "6") if options["gateway"] and self.address(version)))
        if service["mode"] != "l2":
            ip_batch(self.namespace, "link set dev eth0 xdpdrv obj "
                     f"{os.path.join(options['objects'], 'decap.bpf.o')} sec xdp.frags")
        ip_batch(options["bridge_ns"], f"link set {link} master {options['bridge']} up")

    def accepts(self, service, patience_s, alive=lambda: True):
        """Whether the server answers on the address."""
        deadline = time.monotonic() + patience_s
        with entered(self.namespace):
            while time.monotonic() < deadline and alive():
                try:
                    socket.create_connection(
                        (str(self.served(service)), service["port"]), 1).close()
                    return True
                except OSError:
                    time.sleep(0.02)
        return False

    def ready(self, done=True):
        """Note that it is complete, or that the next call is to make it anew."""
        if done:
            with open(self.path("ready"), "wb"):
                pass
        elif os.path.exists(self.path("ready")):
            os.remove(self.path("ready"))

    def pids(self):
        done = subprocess.run(["ip", "netns", "pids", self.namespace], text=True,
                              capture_output=True)
        return [int(word) for word in done.stdout.split()]

    def kill(self, signal_number):
        for pid in self.pids():
            try:
                os.kill(pid, signal_number)
            except ProcessLookupError:
                pass

    def unsent(self):
        """Bytes that closed connections still hold, as clients take them."""
        done = subprocess.run([*inside(self.namespace), "ss", "-Htn", "state", "connected",
                               "exclude", "time-wait"], text=True, capture_output=True)
        return sum(int(line.split()[2]) for line in done.stdout.splitlines())

    def deliver(self):
        """What the server has written is sent, as long as the clients take it."""
        left, deadline = self.unsent(), time.monotonic() + STALL_S
        while left and time.monotonic() < deadline:
            time.sleep(0.02)
            now = self.unsent()
            if now < left:
                left, deadline = now, time.monotonic() + STALL_S

    def remove_namespace(self, stop=signal.SIGTERM, patience_s=5):
        """Its processes are asked to finish what they are answering; what stays on is killed."""
        if not self.exists():
            return
        for signal_number, limit_s in (stop, patience_s), (signal.SIGKILL, 5):
            self.kill(signal_number)
            deadline = time.monotonic() + limit_s
            while self.pids() and time.monotonic() < deadline:
                time.sleep(0.05)
        self.deliver()
        # The namespace itself goes with its last user, later; the link must go now.
        subprocess.run(["ip", "-netns", self.namespace, "link", "del", "eth0"],
                       capture_output=True)
        run("ip", "netns", "del", self.namespace)


def create_check(options, service):
    """What can be said before anything is made."""
    bridge_check(options)
    if service["mode"] != "l2" and "objects" in options and not os.path.exists(
            os.path.join(options["objects"], "decap.bpf.o")):
        raise bad_config(f"option objects: no decap.bpf.o in {options['objects']}")
