# SPDX-License-Identifier: GPL-2.0-only
"""What the cases "health/..." share: servers beside a backend's own nginx, and services to probe."""

import os
import subprocess

from lib.world import ROOT, VIP, wait_for

ODD_SERVER = os.path.join(ROOT, "tests", "e2e", "lib", "odd_server.py")
FAST = {"interval_ms": 200, "rise": 1, "fall": 2}


def odd_server(node, mode, port, *more, address=None):
    """Start one; it listens when this returns."""
    server = node.spawn("/usr/bin/python3", ODD_SERVER, mode, address or node.target, port, *more,
                        stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "ready\n", f"{node.name}: {mode} server does not serve"
    return server


def make_certificates(lab):
    """A CA and a certificate for web.example, in the lab's folder."""
    folder = lab.path("tls")
    os.mkdir(folder)
    for words in (
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out "
            "ca.pem -subj /CN=lab-ca -days 2",
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout web.key -out web.csr "
            "-subj /CN=web.example -addext subjectAltName=DNS:web.example",
            "x509 -req -in web.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out web.pem -days 2 "
            "-copy_extensions copy"):
        subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
    return folder


def nginx(lab, node, port, tls=None, address=None):
    """An nginx on the node's own address: /up answers "all is well", all else is 404."""
    address = address or node.target
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    folder = lab.path(f"nginx-{node.name}-{port}")
    os.mkdir(folder)
    secure = (f" ssl; ssl_certificate {tls}/web.pem; ssl_certificate_key {tls}/web.key"
              if tls else "")
    path = os.path.join(folder, "nginx.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"""daemon off; worker_processes 1; pid {folder}/pid; user root;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};
fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
server {{ listen {where}{secure}; location = /up {{ return 200 "all is well\\n"; }}
location / {{ return 404; }} }} }}
""")
    process = node.spawn("nginx", "-c", path, "-p", folder)
    wait_for(f"nginx listens on {where}", lambda: node.run(
        "ss", "-Hltn", f"sport = :{port}").stdout)
    return process


def health_of(lab, service, backend=None):
    """The backends of a service by name, or one of them, as GET /v1/health shows them."""
    found = {one["name"]: one for one in lab.api("GET", f"/v1/health/{service}")["backends"]}
    return found[backend] if backend else found


def wait_verdict(lab, service, verdict, backend="web-1", timeout_s=30):
    """Until the backend has this verdict; its health."""
    def there():
        health = health_of(lab, service, backend)["health"]
        return health if health and health["verdict"] == verdict else None
    try:
        return wait_for(f"{backend} of {service} is {verdict}", there, timeout_s)
    except Exception:
        print(health_of(lab, service), flush=True)
        raise


def probed(name, port, node, health, family=4, **more):
    """A service whose backend is this node, probed at its own address."""
    return {"name": name, "vip": VIP[family], "protocol": "tcp", "port": port, "mode": "l2",
            "backends_max": 8, "backends": [{"name": node.name, "address": node.target}],
            "health": {"via": "address", **FAST, **health}, **more}
