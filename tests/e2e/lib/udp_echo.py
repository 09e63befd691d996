# SPDX-License-Identifier: GPL-2.0-only
"""A UDP server that names itself, and its client.

    udp_echo.py serve ADDRESS PORT NAME
    udp_echo.py ask ADDRESS PORT SOCKETS PACKETS    prints {"answers": {NAME: N}, "moved": N}
    udp_echo.py keep ADDRESS PORT SOCKETS           the same

`ask` sends PACKETS packets from each of SOCKETS sockets, one after the other's answer, `keep` until
its standard input ends. "moved" counts the sockets that more than one server has answered. Nobody
sends a packet again: one that is lost, there or back, ends it with status 1.
"""

import itertools
import json
import select
import socket
import sys
import time

ANSWER_S = 20


def bind_or_connect(verb, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    one = socket.socket(family, socket.SOCK_DGRAM)
    getattr(one, verb)((address, port))
    return one


def serve(address, port, name):
    server = bind_or_connect("bind", address, port)
    while True:
        packet, client = server.recvfrom(65535)
        server.sendto(name.encode() + b" " + packet, client)


def input_ended():
    return bool(select.select([sys.stdin], [], [], 0)[0])


def ask(address, port, socket_count, numbers):
    sockets = [bind_or_connect("connect", address, port) for _ in range(socket_count)]
    answers, names = {}, {one: set() for one in sockets}
    for number in numbers:
        text = str(number).encode()
        waiting = set(sockets)
        for one in sockets:
            one.send(text)
        deadline = time.monotonic() + ANSWER_S
        while waiting and time.monotonic() < deadline:
            for one in select.select(list(waiting), [], [], 1)[0]:
                name, back = one.recv(2048).split(b" ", 1)
                assert back == text, (back, text)
                answers[name.decode()] = answers.get(name.decode(), 0) + 1
                names[one].add(name)
                waiting.remove(one)
        assert not waiting, f"packet {number}: {len(waiting)} sockets had no answer"
    print(json.dumps({"answers": answers, "moved": sum(len(one) > 1 for one in names.values())}))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    elif sys.argv[1] == "ask":
        ask(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), range(int(sys.argv[5])))
    else:
        ask(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]),
            itertools.takewhile(lambda _: not input_ended(), itertools.count()))
