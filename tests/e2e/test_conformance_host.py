# SPDX-License-Identifier: GPL-2.0-only
"""The host's own traffic is not touched, and what is broken moves a counter that has a name."""

import json
import select
import socket
import time

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import (ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig, IPv6,
                                IPv6ExtHdrDestOpt, IPv6ExtHdrFragment)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from lib.cases import case
from lib.keeper import inside
from lib.world import (VIP, backends, fetch, open_lab, service, start, url, verdicts, wait_for)

ETH_P_ALL = 3
ARRIVES_S = 20


def mac(node):
    # Not from /sys, which shows the network that it was mounted in.
    return json.loads(node.run("ip", "-json", "link", "show", "eth0").stdout)[0]["address"]


def packet_socket(node, interface="eth0"):
    with inside(node):
        one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        one.bind((interface, ETH_P_ALL))
    return one


def arrives(one, frame):
    """Whether the very bytes come out of the socket."""
    deadline = time.monotonic() + ARRIVES_S
    while time.monotonic() < deadline:
        if select.select([one], [], [], 1)[0] and one.recv(65535) == frame:
            return True
    return False


def lines(lab, link):
    """Frames of the host's own, by what they are: (sentence, frame, verdict)."""
    own4, own6 = lab.lb.address(4), lab.lb.address(6)
    from4, from6 = lab.client.address(4), lab.client.address(6)
    udp = bytes(UDP(sport=4000, dport=4001) / Raw(b"x" * 1000))
    solicited = f"ff02::1:ff{own6.split(':')[-1].zfill(4)[-2:].zfill(2)}:0"
    return [
        ("ARP", link(ARP(psrc=from4, pdst=own4)), "pass_not_ip"),
        ("NDP", link(IPv6(src=from6, dst=own6, hlim=255) / ICMPv6ND_NS(tgt=own6) /
                     ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:09")), "pass_not_vip"),
        ("NDP to a group", link(IPv6(src=from6, dst=solicited, hlim=255) /
                                ICMPv6ND_NS(tgt=own6)), "pass_not_vip"),
        ("IGMP", link(IP(src=from4, dst="224.0.0.1", ttl=1, proto=2,
                         options=[IPOption_RR(length=3)]) /
                      Raw(b"\x11\x64\xee\x9b\0\0\0\0")), "pass_not_vip"),
        ("BGP", link(IP(src=from4, dst=own4) / TCP(sport=40000, dport=179, flags="S")),
         "pass_not_vip"),
        ("BGP v6", link(IPv6(src=from6, dst=own6) / TCP(sport=40000, dport=179, flags="S")),
         "pass_not_vip"),
        ("IP options", link(IP(src=from4, dst=own4, options=[IPOption_RR(length=39)]) /
                            UDP(sport=1, dport=2)), "pass_not_vip"),
        ("a first fragment", link(IP(src=from4, dst=own4, id=7, flags="MF", proto=17) /
                                  Raw(udp[:800])), "pass_not_vip"),
        ("a later fragment", link(IP(src=from4, dst=own4, id=7, frag=100, proto=17) /
                                  Raw(udp[800:])), "pass_not_vip"),
        ("a fragment v6", link(IPv6(src=from6, dst=own6) /
                               IPv6ExtHdrFragment(id=9, m=1, offset=0, nh=17) /
                               Raw(udp[:800])), "pass_not_vip"),
        ("a later fragment v6", link(IPv6(src=from6, dst=own6) /
                                     IPv6ExtHdrFragment(id=9, offset=100, nh=17) /
                                     Raw(udp[800:])), "pass_not_vip"),
        ("a PMTU message", link(IP(src="203.0.113.1", dst=own4) /
                                ICMP(type=3, code=4, nexthopmtu=1400) /
                                IP(src=own4, dst=from4, len=1500) / TCP(sport=179, dport=40000)),
         "pass_not_vip"),
        ("a PMTU message v6", link(IPv6(src="2001:db8:9::1", dst=own6) /
                                   ICMPv6PacketTooBig(mtu=1400) / IPv6(src=own6, dst=from6) /
                                   TCP(sport=179, dport=40000)), "pass_not_vip"),
        ("an error about what a VIP never sent",
         link(IP(src="203.0.113.1", dst=own4) / ICMP(type=3, code=1) /
              IP(src=own4, dst=VIP[4], len=60) / TCP(sport=40000, dport=80)), "pass_not_vip"),
        ("a VLAN tag of its own", link(Dot1Q(vlan=7) / IP(src=from4, dst=own4) / UDP()),
         "pass_not_vip"),
        ("no flags at all", link(IP(src=from4, dst=own4) / TCP(flags=0)), "pass_not_vip"),
    ]


@case("conformance/P2 fragments, IP options, IGMP, ARP, NDP and BGP reach the host byte for byte")
def host_is_untouched(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        # The switch would keep what it takes for its own business.
        lab.switch.ip("link set dev br0 type bridge mcast_snooping 0")
        source, target = mac(lab.client), mac(lab.lb)
        out, host = packet_socket(lab.client), packet_socket(lab.lb)

        def link(packet):
            return bytes(Ether(src=source, dst=target) / packet)

        for what, frame, verdict in lines(lab, link):
            if what == "a VLAN tag of its own":
                continue  # the stack takes the tag off before a socket sees it; counted below
            out.send(frame)
            assert arrives(host, frame), what
        before = verdicts(lab)
        sent = lines(lab, link)
        for _, frame, _ in sent:
            out.send(frame)
        for verdict in "pass_not_ip", "pass_not_vip":
            want = before[verdict] + sum(one[2] == verdict for one in sent)
            wait_for(f"all are counted as {verdict}", lambda: verdicts(lab)[verdict] >= want)
        after = verdicts(lab)
        moved = {name for name in after if after[name] != before[name]}
        assert moved == {"pass_not_ip", "pass_not_vip"}, moved

        # And the stack answers: options, fragments, a session on port 179.
        address = lab.lb.address(4)
        lab.client.run("ping", "-n", "-R", "-c", "2", "-i", "0.2", "-W", "10", address)
        lab.client.run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "10", "-s", "4000", address)
        for family, kind in (4, socket.AF_INET), (6, socket.AF_INET6):
            bgp_session(lab, family, kind)
        assert drops(verdicts(lab)) == drops(before)


def bgp_session(lab, family, kind):
    """OPEN and KEEPALIVE both ways over a connection to port 179, byte for byte."""
    marker = b"\xff" * 16
    start_of = marker + b"\x00\x1d\x01\x04\xfd\xe9\x00\xb4\xc6\x33\x64\x01\x00"
    keepalive = marker + b"\x00\x13\x04"
    with inside(lab.lb):
        listener = socket.create_server((lab.lb.address(family), 179), family=kind)
    with inside(lab.client):
        speaker = socket.create_connection((lab.lb.address(family), 179), ARRIVES_S)
    listener.settimeout(ARRIVES_S)
    with listener, speaker, listener.accept()[0] as peer:
        peer.settimeout(ARRIVES_S)
        for one, other in (speaker, peer), (peer, speaker):
            for message in start_of, keepalive:
                one.sendall(message)
                assert other.recv(len(message), socket.MSG_WAITALL) == message


def broken(link):
    """Frames to a VIP with a fault each, and the verdict that it moves."""
    tcp = TCP(sport=40000, dport=80, flags="A")
    whole4 = IP(src="203.0.113.5", dst=VIP[4]) / tcp
    whole6 = IPv6(src="2001:db8:5::5", dst=VIP[6]) / tcp
    chain = IPv6(src="2001:db8:5::5", dst=VIP[6])
    for _ in range(8):
        chain = chain / IPv6ExtHdrDestOpt()
    return [
        ("longer than its frame", link(IP(src="203.0.113.5", dst=VIP[4], len=400) / tcp),
         "drop_malformed"),
        ("shorter than its header", link(IP(src="203.0.113.5", dst=VIP[4], len=19) / tcp),
         "drop_malformed"),
        ("a header length of 4", link(IP(src="203.0.113.5", dst=VIP[4], ihl=4) / tcp),
         "drop_malformed"),
        ("version 5", link(IP(src="203.0.113.5", dst=VIP[4], version=5) / tcp), "drop_malformed"),
        ("v6 longer than its frame", link(IPv6(src="2001:db8:5::5", dst=VIP[6], plen=400) / tcp),
         "drop_malformed"),
        ("cut in its TCP header", link(whole4)[:-8], "drop_malformed"),
        ("v6 cut in its TCP header", link(whole6)[:-8], "drop_malformed"),
        ("a TCP header of 60 bytes that is not there",
         link(IP(src="203.0.113.5", dst=VIP[4]) / TCP(dport=80, flags="A", dataofs=15)),
         "drop_malformed"),
        ("no flags", link(IP(src="203.0.113.5", dst=VIP[4]) / TCP(dport=80, flags=0)),
         "drop_bad_flags"),
        ("SYN and FIN", link(IP(src="203.0.113.5", dst=VIP[4]) / TCP(dport=80, flags="SF")),
         "drop_bad_flags"),
        ("Xmas", link(IP(src="203.0.113.5", dst=VIP[4]) / TCP(dport=80, flags="FPU")),
         "drop_bad_flags"),
        ("too long a chain", link(chain / tcp), "drop_ext_chain"),
        ("a port of no service", link(IP(src="203.0.113.5", dst=VIP[4]) / TCP(dport=81)),
         "drop_no_service"),
        ("a protocol of no service", link(IP(src="203.0.113.5", dst=VIP[4], proto=132) /
                                          Raw(b"x" * 12)), "drop_no_service"),
        ("an error whose quote is too short",
         link(IP(src="203.0.113.5", dst=VIP[4], proto=1) / Raw(b"\x03\x04" + b"\0" * 12)),
         "drop_icmp_quote"),
    ]


@case("conformance/P6 whatever is broken moves a counter that has a name, and harms nobody")
def broken_is_counted(context):
    with open_lab(context) as lab:
        nodes = backends(lab, 1)
        start(lab, [service(lab, backends=nodes), {
            **service(lab, family=6, name="six", backends=[]), "vip": VIP[6]}])
        # Not through the bridge, which with its packet filter drops what is broken.
        out = packet_socket(lab.switch, "lb")
        source, target = mac(lab.client), mac(lab.lb)
        bytes_before = bytes_of(lab, "drop_malformed")
        for what, frame, verdict in broken(lambda packet: bytes(
                Ether(src=source, dst=target) / packet)):
            before = verdicts(lab)
            out.send(frame)
            wait_for(f"{what} is counted", lambda: drops(verdicts(lab)) != drops(before))
            after = verdicts(lab)
            moved = {name: after[name] - before[name] for name in drops(after)
                     if after[name] != before[name]}
            assert moved == {verdict: 1}, (what, moved)
        assert bytes_of(lab, "drop_malformed") == bytes_before == 0
        fetch(lab.client, url(4))


def drops(counts):
    return {name: count for name, count in counts.items() if name.startswith("drop_")}


def bytes_of(lab, verdict):
    return {one["name"]: one["bytes"] for one in lab.api("GET", "/v1/status")["verdicts"]}[verdict]
