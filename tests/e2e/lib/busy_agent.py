# SPDX-License-Identifier: GPL-2.0-only
"""An agent-check of a backend: how busy it is, by the connections that its namespace takes.

    busy_agent.py PORT FULL SILENT

FULL connections a second are 100% of its cpu. While the file SILENT is there, it says nothing.
"""

import os
import socket
import sys
import time


def accepted():
    """TCP connections that this network namespace has taken so far."""
    with open("/proc/net/snmp", encoding="ascii") as file:
        names, values = [line.split() for line in file if line.startswith("Tcp:")]
    return int(values[names.index("PassiveOpens")])


class Busy:
    """Percent over the last second or so, at most 100: a server cannot do more than it can."""

    def __init__(self, full):
        self.full = full
        self.seen = [(time.monotonic(), accepted())]

    def percent(self):
        now, count = time.monotonic(), accepted()
        before = [one for one in self.seen if one[0] <= now - 1] or self.seen[:1]
        self.seen = [one for one in self.seen if one[0] > now - 1.5] + [(now, count)]
        passed = now - before[-1][0]
        return min(100, 100 * (count - before[-1][1]) / self.full / passed) if passed > 0.2 else None


def main():
    port, full, silent = sys.argv[1:]
    busy = Busy(float(full))
    with socket.create_server(("", int(port)), reuse_port=True) as server:
        while True:
            connection, _ = server.accept()
            with connection:
                percent = busy.percent()
                if percent is not None and not os.path.exists(silent):
                    connection.sendall(f"up cpu:{percent:.1f}%\n".encode())


if __name__ == "__main__":
    main()
