# SPDX-License-Identifier: GPL-2.0-only
"""Events and the journal as they are shown: who, what and why; streams, readers that do not read."""

import http.client
import json
import select
import signal
import socket

from lib.cases import case
from lib.world import LabError, backends, open_lab, service, start, wait_for


def shown(lab, *words):
    """The lines of `sluice events` or `sluice journal`."""
    done = lab.sluice(*words, "--json")
    return [json.loads(line) for line in done.stdout.splitlines()]


@case("control/events: a change says who, what and why, and so does the journal after a kill")
def who_and_why(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 2))])
        lab.sluice("backend", "weight", "web", "web-1", "7")
        lab.sluice("backend", "drain", "web", "web-2", "--deadline", "30s")
        first, second = shown(lab, "journal", "--last", "2")
        assert first["by"] == "person" and first["uid"] == 0 and first["user"] == "root", first
        assert first["pid"] > 1 and first["event"] == "change", first
        assert first["why"] == "weight of web-1 of web: 7", first
        assert first["services"] == ["web"], first
        assert first["changes"] == ["backend web-1 of web: weight 100 -> 7"], first
        assert second["why"] == "drain web-2 of web, deadline 30 s", second
        assert second["changes"] == ["backend web-2 of web: active -> draining"], second
        assert second["sequence"] > first["sequence"], (first, second)
        # No difference, nothing journaled.
        lab.sluice("backend", "weight", "web", "web-1", "7")
        assert shown(lab, "journal", "--last", "1") == [second]
        lab.agent.stop(signal.SIGKILL)
        lab.start_agent(lab.agent.config)
        assert shown(lab, "journal", "--last", "2") == [first, second]
        news = lab.api("GET", f"/v1/events?after={second['sequence']}")
        words = [one["event"] for one in news["events"]]
        assert "start" in words and not news["lost"] and news["next"] is None, news
        assert news["last"] > second["sequence"]
        text = lab.sluice("events", "--service", "web", "--since", "1h").stdout
        assert "root (pid" in text and "drain web-2 of web" in text and "sluiced" not in text, text
        lab.sluice("detach", "eth0")
        last = shown(lab, "events", "--last", "1")[0]
        assert last["event"] == "interface" and last["user"] == "root", last
        assert last["why"] == "eth0: detached", last


@case("control/events: a query that is wrong is refused with what it takes")
def wrong(context):
    with open_lab(context) as lab:
        start(lab, [service(lab)])
        for query in ["after=x", "after=-1", "limit=5000", "since_ms=1e3", "follow=2"]:
            try:
                lab.api("GET", f"/v1/events?{query}")
            except LabError as error:
                assert "400" in str(error) and query.partition("=")[0] in str(error), error
            else:
                raise AssertionError(query)
        assert lab.api("GET", "/v1/events?limit=0")["events"] == []


@case("control/events: a follower sees each event once and in order, over a restart")
def follow(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        path = lab.path("followed")
        with open(path, "wb") as file:
            follower = lab.spawn(lab.sluice_path, "--socket", lab.socket, "events", "--follow",
                                 "--json", stdout=file)

        def lines():
            with open(path, encoding="utf-8") as file:
                return [json.loads(line) for line in file.read().splitlines()]

        def whys():
            return [one["why"] for one in lines() if "weight" in one["why"]]
        wait_for("the follower has begun", lines)
        for weight in (7, 8):
            lab.sluice("backend", "weight", "web", "web-1", str(weight))
        wait_for("both are seen", lambda: len(whys()) == 2)
        lab.agent.stop()
        lab.start_agent(lab.agent.config)
        lab.sluice("backend", "weight", "web", "web-1", "9")
        wait_for("the third is seen", lambda: len(whys()) == 3)
        assert whys() == [f"weight of web-1 of web: {weight}" for weight in (7, 8, 9)]
        numbers = [one["sequence"] for one in lines()]
        assert numbers == sorted(set(numbers)), numbers
        words = [one["event"] for one in lines()]
        assert "stop" in words and words.index("start") < words.index("stop"), words
        assert follower.poll() is None


def reader_gone(reader):
    """Whether the agent has closed the connection, without reading from it."""
    poll = select.poll()
    poll.register(reader, select.POLLHUP)
    return any(events & select.POLLHUP for _, events in poll.poll(0))


@case("control/events: readers that do not read are let go, and hold nobody up", soak=True)
def unread(context):
    with open_lab(context) as lab:
        start(lab, [service(lab, backends=backends(lab, 1))])
        readers = []
        for _ in range(16):
            reader = socket.socket(socket.AF_UNIX)
            reader.connect(lab.socket)
            reader.sendall(b"GET /v1/events?follow=1&limit=1 HTTP/1.1\r\nHost: sluice\r\n\r\n")
            assert reader.recv(17) == b"HTTP/1.1 200 OK\r\n"
            readers.append(reader)
        done = lab.sluice("events", "--follow", check=False)
        assert done.returncode == 1 and "16 readers follow already" in done.stderr, done
        # More than a socket holds.
        connection = http.client.HTTPConnection("sluice")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(lab.socket)
        for number in range(1000):
            connection.request("PUT", "/v1/services/web/backends/web-1/weight",
                               json.dumps({"weight": number % 200 + 1}))
            response = connection.getresponse()
            assert response.status == 200, response.read()
            response.read()

        def room():
            try:
                return lab.api("GET", "/v1/events?follow=0&limit=1")["events"] and any(
                    reader_gone(one) for one in readers)
            except OSError:
                return False
        wait_for("a reader that does not read is let go", room, timeout_s=60)
        for reader in readers:
            reader.close()

        def taken():
            with socket.socket(socket.AF_UNIX) as late:
                late.connect(lab.socket)
                late.sendall(b"GET /v1/events?follow=1&limit=1 HTTP/1.1\r\nHost: sluice\r\n\r\n")
                return late.recv(17) == b"HTTP/1.1 200 OK\r\n"
        wait_for("there is room for another", taken)
