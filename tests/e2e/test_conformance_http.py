# SPDX-License-Identifier: GPL-2.0-only
"""Requests with random faults: each is answered or cut off, none harms the agent."""

import json
import random
import socket
from concurrent.futures import ThreadPoolExecutor

from lib.cases import case
from lib.keeper import service, write_config
from lib.world import open_lab

REQUESTS, SOAK_REQUESTS = 500, 40000
AT_ONCE = 16
PATIENCE_S = 0.5  # the agent waits longer for the rest of what is not whole; that is another test
STATUS = {200, 201, 400, 404, 405, 409, 411, 413, 414, 417, 431, 501, 505}
SEEDS = [
    ("GET", "/v1/status", None),
    ("GET", "/v1/services/web/backends/one", None),
    ("GET", "/v1/flows?service=web&client=192.0.2.7:4711&limit=10&after=0", None),
    ("GET", "/v1/guard?service=web&address=2001:db8::1&answer=deny&limit=5", None),
    ("GET", "/v1/events?after=3&service=web", None),
    ("PUT", "/v1/guard", {"service": "web", "deny": ["203.0.113.0/24"], "remove": []}),
    ("DELETE", "/v1/guard?prefix=203.0.113.0%2F24&service=web", None),
    ("POST", "/v1/services", service("more", 81, backends=[{"name": "a", "address": "10.0.0.9"}])),
    ("DELETE", "/v1/services/more", None),
    ("POST", "/v1/services/web/backends", {"name": "two", "address": "10.0.0.2", "weight": 7}),
    ("PUT", "/v1/services/web/backends/one/weight", {"weight": 3}),
    ("POST", "/v1/services/web/backends/one/drain", {"deadline_s": 60}),
    ("POST", "/v1/services/web/backends/one/undrain", {}),
    ("PATCH", "/v1/scale/web", {"min": 1, "max": 3, "target": 2.5}),
    ("GET", "/metrics", None),
    ("GET", "/healthz", None),
]
WORDS = [b"%00", b"%2f%2f", b"%", b"/..", b"\0", b"\r\n", b"\xff\xfe", b"{", b"[" * 300, b"&=&", b"?",
         b" ", b"-1", b"18446744073709551616", b"1e999", b"\\ud800", b"A" * 5000, b"Content-Length: 9\r\n",
         b"Transfer-Encoding: chunked\r\n", b"HTTP/9.9"]


def request(method, path, body):
    text = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: sluice\r\nConnection: close\r\n"
    head += f"Content-Length: {len(text)}\r\n\r\n"
    return head.encode() + text


def broken(row, whole):
    """The request with one to three faults."""
    text = bytearray(whole)
    for _ in range(row.randint(1, 3)):
        place = row.randrange(len(text)) if text else 0
        kind = row.randrange(5)
        if kind == 0:
            del text[place:]
        elif kind == 1:
            del text[place:place + row.randint(1, 8)]
        elif kind == 2 and text:
            text[place] = row.randrange(256)
        elif kind == 3:
            text[place:place] = row.choice(WORDS)
        else:
            text[place:place] = text[:row.randrange(len(text) + 1)]
    return bytes(text)


def answer_to(where, text):
    """All that comes back; b"" if nothing does: the request was not whole, or was cut off."""
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(PATIENCE_S)
    one.connect(where)
    parts = []
    try:
        one.sendall(text)
        one.shutdown(socket.SHUT_WR)
        while part := one.recv(65536):
            parts.append(part)
    except (BrokenPipeError, ConnectionResetError, TimeoutError):
        pass
    finally:
        one.close()
    return b"".join(parts)


def check(answer):
    """The first answer; behind it there may be others, to what a fault made a second request."""
    if not answer:
        return None
    head, _, rest = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ")[1])
    assert status in STATUS, answer[:400]
    fields = {name.lower(): value.strip() for name, _, value in
              (line.partition(":") for line in lines[1:])}
    if fields.get("content-type") == "application/json":
        body = json.loads(rest[:int(fields["content-length"])])
        assert status < 300 or body["error"], answer[:400]
    return status


@case("conformance/fuzz: requests with random faults are refused with a reason, and harm nobody",
      soak_timeout=600)
def faults(context):
    with open_lab(context) as lab:
        lab.start_agent(write_config(lab, []))
        lab.api("POST", "/v1/services", service(
            "web", backends=[{"name": "one", "address": "10.0.0.1"}]))
        pid = lab.api("GET", "/v1/status")["pid"]
        row, seen = random.Random(4), {}

        def one(number, whole):
            text = whole if number % 10 == 0 else broken(random.Random(number), whole)
            try:
                return check(answer_to(lab.socket, text))
            except Exception:
                context.log(f"request {number}: {text!r}")
                raise

        count = SOAK_REQUESTS if context.soak else REQUESTS
        with ThreadPoolExecutor(AT_ONCE) as threads:
            wholes = [request(*row.choice(SEEDS)) for _ in range(count)]
            for status in threads.map(one, range(count), wholes):
                seen[status] = seen.get(status, 0) + 1
        context.log(f"answers: {seen}")
        assert lab.api("GET", "/v1/status")["pid"] == pid
        # Neither all refused unread nor all taken.
        assert all(seen.get(status, 0) >= 10 for status in (200, 400, 404)), seen
