# SPDX-License-Identifier: GPL-2.0-only
"""An agent that answers what it was told to: a small HTTP server on a Unix socket."""

import contextlib
import http.server
import json
import socketserver
import threading


class _Handler(http.server.BaseHTTPRequestHandler):
    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        agent = self.server.agent
        agent.requests.append((self.command, self.path, body.decode()))
        status, answer = agent.answers.get(
            (self.command, self.path), (404, {"error": f"{self.path}: not here; look elsewhere"})
        )
        text = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _answer

    def address_string(self):
        return "unix"

    def log_message(self, *args):
        pass


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class FakeAgent:
    """answers: {(method, path): (status, object or text)}; requests: [(method, path, body)]."""

    def __init__(self, socket):
        self.socket = str(socket)
        self.answers = {}
        self.requests = []

    def on(self, method, path, answer, status=200):
        self.answers[method, path] = (status, answer)

    def last(self):
        """The last request, with its JSON body read."""
        method, path, body = self.requests[-1]
        return method, path, json.loads(body) if body else None


@contextlib.contextmanager
def fake_agent(socket):
    agent = FakeAgent(socket)
    with _Server(agent.socket, _Handler) as server:
        server.agent = agent
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield agent
        finally:
            server.shutdown()
