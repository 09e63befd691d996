# SPDX-License-Identifier: GPL-2.0-only
"""The file system that a virtual machine of provisioner "qemu" starts with: busybox, the kernel's
modules for its network, and a script that serves HTTP. A cpio archive (newc), made in memory."""

import glob
import gzip
import lzma
import os
import re

from contract import bad_config

# In this order: each needs those before it. Those that the kernel has built in are not there.
MODULES = ["failover", "net_failover", "virtio_net"]
TUNNEL_MODULES = ["tunnel4", "tunnel6", "ip_tunnel", "ipip", "sit", "ip6_tunnel"]

INIT = r"""#!/bin/busybox sh
# What it is comes on the kernel's command line, as sluice.WORD=VALUE.
set -f
busybox() { /bin/busybox "$@"; }
busybox mkdir -p /proc /sys /dev
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
for word in $(busybox cat /proc/cmdline); do
    case $word in
    sluice.name=*) name=${word#*=} ;;
    sluice.addresses=*) addresses=${word#*=} ;;
    sluice.served=*) served=${word#*=} ;;
    sluice.vip=*) vip=${word#*=} ;;
    sluice.port=*) port=${word#*=} ;;
    sluice.mtu=*) mtu=${word#*=} ;;
    sluice.gateways=*) gateways=${word#*=} ;;
    esac
done
set +f
for module in /modules/*; do
    [ ! -e "$module" ] || busybox insmod "$module" || echo "sluice: $module: not loaded"
done
[ -e /sys/class/net/eth0 ] || {
    echo 'sluice: no network device: are these the modules of this kernel?'
    busybox poweroff -f
}
# The VIP is served, but never claimed by ARP: the load balancer is the way to it.
for device in all default eth0; do
    echo 1 >/proc/sys/net/ipv4/conf/$device/arp_ignore
    echo 2 >/proc/sys/net/ipv4/conf/$device/arp_announce
    echo 0 >/proc/sys/net/ipv4/conf/$device/rp_filter
    echo 0 >/proc/sys/net/ipv6/conf/$device/accept_dad
    echo 0 >/proc/sys/net/ipv6/conf/$device/accept_ra
done
busybox ip link set lo up
busybox ip link set eth0 mtu "$mtu" up
IFS=,
for address in $addresses; do busybox ip addr add "$address" dev eth0; done
for gateway in $gateways; do busybox ip route add default via "$gateway"; done
unset IFS
[ -z "$vip" ] || busybox ip addr add "$vip" dev lo
for tunnel in tunl0 sit0 ip6tnl0; do
    [ ! -e /sys/class/net/$tunnel ] || {
        echo 0 >/proc/sys/net/ipv4/conf/$tunnel/rp_filter
        busybox ip link set $tunnel up
    }
done
busybox mkdir -p /www/cgi-bin
cat >/www/cgi-bin/index.cgi <<END
#!/bin/busybox sh
printf 'X-Backend: %s\r\nContent-Type: text/plain\r\n' "$name"
printf 'Content-Length: %d\r\n\r\n%s\n' $((${#name} + 1)) "$name"
END
busybox chmod 755 /www/cgi-bin/index.cgi
# It goes to the background when it listens.
busybox httpd -p "$served:$port" -h /www && echo 'sluice: ready'
while :; do busybox sleep 3600; done
"""


def unpacked(path):
    """A module's bytes, however the distribution packs them."""
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(".xz"):
        return lzma.decompress(data)
    if path.endswith(".gz"):
        return gzip.decompress(data)
    if path.endswith(".ko"):
        return data
    raise bad_config(f"{path}: packed in a way that is not known here; give option initrd")


def module_find(folder, name):
    pattern = re.compile(f"/{name.replace('_', '[_-]')}[.]ko([.][a-z]+)?$")
    return next((path for path in glob.iglob(folder + "/**/*.ko*", recursive=True)
                 if pattern.search(path)), None)


def entry(name, mode, data=b"", device=(0, 0)):
    """One file of a cpio archive."""
    name = name.encode() + b"\0"
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0]
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def archive(busybox, modules, tunnels):
    with open(busybox, "rb") as file:
        shell = file.read()
    parts = [entry(folder, 0o040755) for folder in ("bin", "dev", "modules", "www")]
    parts += [entry("dev/console", 0o020600, device=(5, 1)),
              entry("dev/null", 0o020666, device=(1, 3)),
              entry("bin/busybox", 0o100755, shell), entry("init", 0o100755, INIT.encode())]
    for number, name in enumerate([*MODULES, *(TUNNEL_MODULES if tunnels else [])]):
        path = module_find(modules, name)
        if path:
            parts.append(entry(f"modules/{number:02}-{name}.ko", 0o100644, unpacked(path)))
    return b"".join([*parts, entry("TRAILER!!!", 0)])
