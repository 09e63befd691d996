# SPDX-License-Identifier: GPL-2.0-only
"""A receiver of the provisioner "webhook": checks each POST, and has another provisioner do it.

    webhook.py FOLDER PROVISIONER SPEC    listens on 127.0.0.1, writes its port to FOLDER/port

FOLDER/secret has the secret. Each accepted call is a line of FOLDER/calls. FOLDER/trouble has a line
for each of the next calls: an HTTP status to answer, "hang", "drip", "drop", or "lost": it is done,
and the answer is lost.
"""

import hashlib
import hmac
import http.server
import json
import os
import subprocess
import sys
import threading
import time

FOLDER, PROVISIONER, SPEC = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
FRESH_S = 300
STATUS_OF = {0: 200, 10: 503, 11: 507, 12: 400, 14: 409, 15: 202}
LOCK = threading.Lock()


def path(name):
    return os.path.join(FOLDER, name)


def trouble_next():
    with LOCK:
        try:
            with open(path("trouble"), encoding="utf-8") as file:
                lines = file.read().split()
        except FileNotFoundError:
            return ""
        with open(path("trouble"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines[1:]))
        return lines[0] if lines else ""


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def signature_wrong(self, body):
        when = self.headers.get("X-Sluice-Timestamp", "")
        with open(path("secret"), "rb") as file:
            secret = file.read().strip()
        if not when.isdigit() or abs(time.time() - int(when)) > FRESH_S:
            return "stale"
        wanted = hmac.new(secret, when.encode() + b"." + body, hashlib.sha256).hexdigest()
        told = self.headers.get("X-Sluice-Signature", "")
        return "" if hmac.compare_digest(told, f"sha256={wanted}") else "wrong signature"

    def reply(self, status, answer):
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        wrong = self.signature_wrong(body)
        if wrong:
            self.reply(401, {"error": wrong})
            return
        request = json.loads(body)
        with LOCK, open(path("calls"), "a", encoding="utf-8") as file:
            file.write(json.dumps({"key": self.headers["Idempotency-Key"], **request}) + "\n")
        trouble = trouble_next()
        if trouble.isdigit():
            self.reply(int(trouble), {"error": f"told to say {trouble}"})
        elif trouble == "hang":
            time.sleep(1000)
        elif trouble == "drip":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b" ")
                time.sleep(0.1)
        elif trouble == "drop":
            self.close_connection = True
        else:
            self.serve(request, trouble == "lost")

    def serve(self, request, lost):
        done = subprocess.run([PROVISIONER, request["verb"]], text=True, capture_output=True,
                              input=json.dumps({**request, "spec": {**SPEC, **request["spec"]}}))
        if lost:
            self.close_connection = True
        elif done.returncode:
            self.reply(STATUS_OF.get(done.returncode, 500), {"error": done.stderr.strip()})
        else:
            self.reply(200, json.loads(done.stdout))


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    with open(path("port.new"), "w", encoding="utf-8") as out:
        out.write(str(server.server_port))
    os.rename(path("port.new"), path("port"))
    server.serve_forever()
