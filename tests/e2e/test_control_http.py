# SPDX-License-Identifier: GPL-2.0-only
"""Both listeners of the agent against raw bytes: what is wrong is refused, nobody is kept out."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from lib.cases import case
from lib.keeper import inside
from lib.world import backends, open_lab, service, start, wait_for

CONNECTIONS = 64  # of a listener at once
PATIENCE_S = 60  # the agent gives up on a request after 30 s
CUT_OFF = 0  # closed without an answer

HOST = b"Host: sluice\r\n"
CLOSE = b"Connection: close\r\n\r\n"
CHUNKED = b"POST /v1/plan HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n" + CLOSE


def get(path, more=b""):
    return b"GET " + path + b" HTTP/1.1\r\n" + HOST + more + CLOSE


def post(path, more, body=b""):
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + more + CLOSE + body


# What is sent, and which statuses are right; the TCP listener has no /v1/plan.
REFUSED = [
    ("no Host", b"GET /healthz HTTP/1.1\r\n" + CLOSE, {400}),
    ("another version", b"GET /healthz HTTP/9.9\r\n" + HOST + CLOSE, {400, 505}),
    ("no version", b"GET /healthz\r\n\r\n", {CUT_OFF, 400, 505}),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x7f" * 512 + b"\r\n\r\n",
     {CUT_OFF, 400, 405, 505}),
    # The library reads no further than the NUL; what is there is no more than without it.
    ("a NUL in the path", get(b"/healthz\0x"), {CUT_OFF, 200, 400, 404}),
    ("an escaped NUL in the path", get(b"/healthz%00x"), {400, 404}),
    ("an escaped NUL in the API's path", get(b"/v1/status%00x"), {400, 404}),
    ("a path of 64 KiB", get(b"/" + b"a" * 65536), {CUT_OFF, 413, 414}),
    ("a header of 64 KiB", get(b"/healthz", b"X: " + b"a" * 65536 + b"\r\n"), {CUT_OFF, 413, 431}),
    ("10000 headers", get(b"/healthz", b"".join(b"X-%d: a\r\n" % i for i in range(10000))),
     {CUT_OFF, 413, 431}),
    ("a negative length", post(b"/v1/plan", b"Content-Length: -1\r\n"), {CUT_OFF, 400, 413}),
    ("a length above 64 bits", post(b"/v1/plan", b"Content-Length: 99999999999999999999\r\n"),
     {CUT_OFF, 400, 413}),
    ("a length of words", post(b"/v1/plan", b"Content-Length: many\r\n"), {CUT_OFF, 400}),
    ("a chunk without a size", CHUNKED + b"xyz\r\nabc\r\n0\r\n\r\n", {CUT_OFF, 400}),
    ("a chunk of above 64 bits", CHUNKED + b"f" * 20 + b"\r\nabc\r\n0\r\n\r\n", {CUT_OFF, 400, 413}),
    ("a chunk that is longer than it says", CHUNKED + b"1\r\nabc\r\n0\r\n\r\n", {CUT_OFF, 400}),
    ("a body above 4 MiB", post(b"/v1/plan", b"Content-Length: 4194305\r\n", b"x" * 4194305),
     {CUT_OFF, 413}),
]
# The agent waits for the end of a line, until the time-out for silence.
REFUSED_LATE = [
    ("NULs", b"\0" * 4096 + b"\r\n\r\n", {CUT_OFF, 400, 405, 505}),
]


class Plane:
    """The two listeners of a lab's agent."""

    def __init__(self, lab):
        self.lab = lab

    def connect(self, tcp):
        if tcp:
            with inside(self.lab.lb):
                one = socket.socket(socket.AF_INET)
            where = ("127.0.0.1", 9980)
        else:
            one = socket.socket(socket.AF_UNIX)
            where = self.lab.socket
        one.connect(where)  # with no time-out: it waits where the queue is full
        one.settimeout(PATIENCE_S)
        return one

    def answer(self, tcp, text, over=False):
        """All that comes back until the agent closes; over: the agent sees that no more comes."""
        parts = []
        with self.connect(tcp) as one:
            try:
                one.sendall(text)
                if over:
                    one.shutdown(socket.SHUT_WR)
                while part := one.recv(65536):
                    parts.append(part)
            except (BrokenPipeError, ConnectionResetError):
                pass
        return b"".join(parts)

    def status(self, tcp, text, over=False):
        answer = self.answer(tcp, text, over)
        return int(answer.split(b" ", 2)[1]) if answer else CUT_OFF

    def fine(self, tcp):
        return self.status(tcp, get(b"/healthz" if tcp else b"/v1/status")) == 200


@case("control/http: what is no proper request is refused on either listener, and harms nobody")
def refused(context):
    with open_lab(context) as lab:
        start(lab, [service(lab)])
        plane, pid = Plane(lab), lab.api("GET", "/v1/status")["pid"]

        def one(task):
            tcp, (name, text, right) = task
            begun = time.monotonic()
            status = plane.status(tcp, text if tcp else text.replace(b"/healthz", b"/v1/status"),
                                  over=True)
            context.log(f"{name}, {'TCP' if tcp else 'socket'}: {status or 'cut off'} after "
                        f"{time.monotonic() - begun:.1f} s")
            nowhere = tcp and text.startswith(b"POST") and status == 404
            assert status in right or nowhere, (tcp, name, status)
            assert plane.fine(tcp), (tcp, name)

        rows = REFUSED + (REFUSED_LATE if context.soak else [])
        tasks = [(tcp, row) for tcp in (False, True) for row in rows]
        with ThreadPoolExecutor(8) as threads:
            for _ in threads.map(one, tasks):
                pass
        assert lab.api("GET", "/v1/status")["pid"] == pid


@case("control/http: HTTP/1.0, many requests at once, and HEAD are answered as they are to be")
def proper(context):
    with open_lab(context) as lab:
        start(lab, [service(lab)])
        plane = Plane(lab)
        for tcp, path in ((False, b"/v1/status"), (True, b"/healthz")):
            assert plane.status(tcp, b"GET " + path + b" HTTP/1.0\r\n\r\n") == 200
            text = b"GET " + path + b" HTTP/1.1\r\n" + HOST
            answer = plane.answer(tcp, (text + b"\r\n") * 49 + text + CLOSE)
            assert answer.count(b"HTTP/1.1 200 OK\r\n") == 50, answer[:400]
            head = plane.answer(tcp, b"HEAD " + path + b" HTTP/1.1\r\n" + HOST + CLOSE)
            assert head.startswith(b"HTTP/1.1 200") and head.endswith(b"\r\n\r\n"), head
        # One after the other: a right order is seen by the answers' kinds.
        answer = plane.answer(False, b"".join(
            b"GET " + path + b" HTTP/1.1\r\n" + HOST + more for path, more in
            ((b"/v1/status", b"\r\n"), (b"/v1/none", b"\r\n"), (b"/v1/check", CLOSE))))
        places = [answer.index(word) for word in (b'"pid"', b"no such path", b'"equal"')]
        assert places == sorted(places), answer
        # Each would else hold one of the sixteen places of readers.
        for _ in range(20):
            head = plane.status(False, b"HEAD /v1/events?follow=1 HTTP/1.1\r\n" + HOST + CLOSE)
            assert head == 200, head


@case("control/http: the TCP listener changes nothing, keeps no body, and has no page of the API")
def read_only(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        plane, before = Plane(lab), lab.api("GET", "/v1/services")["services"][0]["backends"]
        for path in (b"/v1/status", b"/v1/services", b"/v1/services/web", b"/v1/journal", b"/"):
            assert plane.status(True, get(path)) == 404, path
        for method in (b"POST", b"PUT", b"PATCH", b"DELETE"):
            for path, right in ((b"/metrics", 405), (b"/healthz", 405),
                                (b"/v1/services/web/backends/web-1", 404)):
                status = plane.status(True, method + b" " + path + b" HTTP/1.1\r\n" + HOST + CLOSE)
                assert status == right, (method, path, status)
        assert plane.status(True, post(b"/metrics", b"Content-Length: 65536\r\n",
                                       b"x" * 65536)) == 413
        after = lab.api("GET", "/v1/services")["services"][0]["backends"]
        assert [one["name"] for one in before] == [one["name"] for one in after]


@case("control/http: more connections than there is room for keep nobody out once they end")
def many(context):
    with open_lab(context) as lab:
        start(lab, [service(lab)])
        plane = Plane(lab)
        for tcp in (False, True):
            held = [plane.connect(tcp) for _ in range(CONNECTIONS + 32)]
            for one in held:
                one.close()
            assert plane.fine(tcp)


def trickle(held, until):
    """A byte to each once a second, until that is true."""
    while not until():
        for one in held:
            try:
                one.send(b"x")
            except OSError:
                pass
        time.sleep(1)


@case("control/http: who is silent or trickles on every connection keeps nobody out for long",
      soak=True)
def slow(context):
    with open_lab(context) as lab:
        start(lab, [service(lab)])
        plane = Plane(lab)
        for tcp in (False, True):
            for text, trickles in ((b"", False), (b"GET /healthz HTTP/1.1\r\nX: ", True),
                                   (b"POST /v1/plan HTTP/1.1\r\n" + HOST +
                                    b"Content-Length: 4000000\r\n\r\n", True)):
                held = [plane.connect(tcp) for _ in range(CONNECTIONS)]
                for one in held:
                    one.sendall(text)
                with ThreadPoolExecutor(1) as threads:
                    other = threads.submit(plane.fine, tcp)
                    if trickles:
                        trickle(held, other.done)
                    assert other.result(), (tcp, text)
                for one in held:
                    one.close()
                wait_for("all is as before", lambda one=tcp: plane.fine(one))


@case("control/http: a follower by HTTP/1.0 reads events until it leaves")
def follow_old(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        with Plane(lab).connect(False) as one:
            one.sendall(b"GET /v1/events?follow=1&limit=0 HTTP/1.0\r\n\r\n")
            got = one.recv(65536)
            assert got.startswith(b"HTTP/1.0 200") or got.startswith(b"HTTP/1.1 200"), got
            lab.sluice("backend", "weight", "web", "web-1", "7")
            while b"weight of web-1" not in got:
                part = one.recv(65536)
                assert part, got
                got += part
        line = next(one for one in got.split(b"\n") if b"weight of web-1" in one)
        assert json.loads(line)["by"] == "person", line
