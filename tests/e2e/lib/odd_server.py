# SPDX-License-Identifier: GPL-2.0-only
"""Servers that behave oddly, for probes: one for each connection's life.

    odd_server.py silent ADDRESS PORT          accepts, and never says a word
    odd_server.py slow ADDRESS PORT            answers by HTTP, a byte each 50 ms
    odd_server.py flap ADDRESS PORT FILE       HTTP; status 200 while FILE is there, else 503
    odd_server.py line ADDRESS PORT FILE       sends FILE's text and closes; nothing if it is absent
    odd_server.py json ADDRESS PORT FILE       the same text by HTTP
"""

import os
import socket
import sys
import threading
import time

ANSWER = "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"


def answer(status, body="ok"):
    return ANSWER.format(status=status, length=len(body), body=body).encode()


def text_of(path):
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


def serve_one(mode, connection, path):
    with connection:
        if mode == "silent":
            while connection.recv(4096):
                pass
        elif mode == "slow":
            connection.recv(4096)
            for byte in answer("200 OK"):
                connection.sendall(bytes([byte]))
                time.sleep(0.05)
        elif mode == "flap":
            connection.recv(4096)
            connection.sendall(answer("200 OK" if os.path.exists(path) else "503 Gone"))
        elif mode == "line":
            connection.sendall(text_of(path).encode())
        elif mode == "json":
            connection.recv(4096)
            connection.sendall(answer("200 OK", text_of(path)))


def quietly(*what):
    try:
        serve_one(*what)
    except OSError:
        pass  # the prober has left


def main():
    mode, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    path = sys.argv[4] if len(sys.argv) > 4 else None
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family, backlog=128) as server:
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=quietly, args=(mode, connection, path), daemon=True).start()


if __name__ == "__main__":
    main()
