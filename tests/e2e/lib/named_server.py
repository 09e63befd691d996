# SPDX-License-Identifier: GPL-2.0-only
"""A server that says its name by HTTP: named_server.py ADDRESS PORT NAME. It also takes
"/busy?SECONDS", which uses the CPU for so long before it answers."""

import http.server
import socket
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/busy?"):
            end = time.thread_time() + float(self.path.split("?")[1])
            while time.thread_time() < end:
                pass
        body = sys.argv[3].encode() + b"\n"
        self.send_response(200)
        self.send_header("X-Backend", sys.argv[3])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
    request_queue_size = 4096


if __name__ == "__main__":
    Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
