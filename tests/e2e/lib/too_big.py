# SPDX-License-Identifier: GPL-2.0-only
"""Ask a UDP server behind a VIP for its name, then report its answer as too big for the way.

    too_big.py ADDRESS PORT MTU    prints the server's name

The message is what a router on the way back would send: ICMP or ICMPv6 to the answer's source,
with the answer's IP header and 8 bytes of UDP in it.
"""

import socket
import struct
import sys


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def message(family, udp, vip, own, mtu):
    source, destination = (socket.inet_pton(family, one) for one in (vip, own))
    if family == socket.AF_INET6:
        quote = struct.pack("!IHBB", 0x60000000, 1400, socket.IPPROTO_UDP, 60)
        # The kernel fills in the checksum of ICMPv6.
        return struct.pack("!BBHI", 2, 0, 0, mtu) + quote + source + destination + udp
    quote = struct.pack("!BBHHHBBH", 0x45, 0, 1420, 1, 0x4000, 60, socket.IPPROTO_UDP, 0)
    parts = [struct.pack("!BB", 3, 4), b"\0\0",
             struct.pack("!HH", 0, mtu) + quote + source + destination + udp]
    parts[1] = struct.pack("!H", checksum(b"".join(parts)))
    return b"".join(parts)


def main():
    vip, port, mtu = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    family = socket.AF_INET6 if ":" in vip else socket.AF_INET
    asker = socket.socket(family, socket.SOCK_DGRAM)
    asker.settimeout(20)
    asker.connect((vip, port))
    asker.send(b"who")
    name = asker.recv(2048).split(b" ", 1)[0].decode()
    own, own_port = asker.getsockname()[:2]
    raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMPV6
                        if family == socket.AF_INET6 else socket.IPPROTO_ICMP)
    udp = struct.pack("!HHHH", port, own_port, 1400, 0)
    raw.sendto(message(family, udp, vip, own, mtu), (vip, 0))
    print(name)


if __name__ == "__main__":
    main()
