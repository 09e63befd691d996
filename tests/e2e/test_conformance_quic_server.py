# SPDX-License-Identifier: GPL-2.0-only
"""A real QUIC server and client, Debian's ngtcp2-server and ngtcp2-client, through the VIP.

The server's connection IDs get a server ID in front by lib/quic_preload.c.
"""

import ipaddress
import os
import pathlib
import signal
import subprocess

from lib.cases import case
from lib.keeper import add_nodes, service, start
from lib.world import VIP, no_drops, open_lab, wait_for

PORT = 443
CONFIG, ID_LENGTH = 1, 4  # as the preload writes them
SIZE = 40_000_000  # of what each client downloads
CLIENTS = 3


class Site:
    """What every server serves: a certificate, and a file of SIZE."""

    def __init__(self, folder):
        self.folder = folder
        self.key, self.certificate = folder / "key.pem", folder / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.key, "-out",
             self.certificate, "-days", "2", "-subj", "/CN=quic"], check=True, capture_output=True)
        self.preload = folder / "preload.so"
        subprocess.run(
            ["gcc", "-O1", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", self.preload,
             pathlib.Path(__file__).parent / "lib" / "quic_preload.c"], check=True)
        (folder / "www").mkdir()
        with open(folder / "www" / "file", "wb") as file:
            file.truncate(SIZE)

    def serve(self, node, vip, server_id):
        """Start a server on the node; ready when this returns. server_id: hex text, or None."""
        more = {"LD_PRELOAD": str(self.preload), "SLUICE_SERVER_ID": server_id} if server_id else {}
        with open(self.folder / f"{node.name}.log", "wb") as log:
            node.spawn("/usr/sbin/gtlsserver", "--quiet", "--no-pmtud", "-d", self.folder / "www",
                       vip, PORT, self.key, self.certificate, env=os.environ | more, stdout=log,
                       stderr=log)
        wait_for(f"{node.name} serves QUIC", lambda: node.run(
            "ss", "-Hlun", f"sport = :{PORT}").stdout)


class Client:
    """A download that is under way, and stands still."""

    def __init__(self, lab, folder, *options):
        folder.mkdir()
        self.file, self.log_path = folder / "file", folder / "log"
        with open(self.log_path, "wb") as log:
            self.process = lab.client.spawn(
                "gtlsclient", "--quiet", "--no-pmtud", "--timeout=60s",
                "--exit-on-all-streams-close", f"--download={folder}", *options, VIP[4], PORT,
                "https://quic/file", stdout=log, stderr=log)
        wait_for("a download is under way", lambda: self.received() or self.is_over())
        self.process.send_signal(signal.SIGSTOP)
        assert not self.is_over() and self.received() < SIZE, self.log_path.read_text()

    def received(self):
        return self.file.stat().st_size if self.file.exists() else 0

    def is_over(self):
        return self.process.poll() is not None

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def finish(self):
        status = self.process.wait(60)
        assert status == 0 and self.received() == SIZE, (
            status, self.received(), self.log_path.read_text())


def flows(lab):
    return lab.api("GET", "/v1/flows?service=quic")["matched"]


def downloads_outlive_a_change(context, lab, pool, *options):
    """Two of three backends serve; one more comes, one drains, and every download ends well."""
    clients = [Client(lab, context.tmp / f"client-{number}", *options)
               for number in range(CLIENTS)]
    before = flows(lab)
    pool.add("web-3")
    pool.drain("web-1")
    pool.weight("web-2", 1)
    for client in clients:
        client.go_on()
    for client in clients:
        client.finish()
    no_drops(lab)
    return flows(lab) - before


@case("conformance/U7 real QUIC clients change their address while the pool changes")
def by_connection_id(context):
    with open_lab(context) as lab:
        site = Site(context.tmp)
        nodes = add_nodes(lab, 3, ports=())
        for node in nodes:
            site.serve(node, VIP[4], ipaddress.ip_address(node.target).packed.hex())
        pool, = start(lab, nodes, service(
            "quic", PORT, protocol="udp", quic=True, quic_id_length=ID_LENGTH,
            quic_id_config=CONFIG), size=2)
        # It is due as soon as they go on; a new address is a new flow.
        moved = downloads_outlive_a_change(context, lab, pool, "--change-local-addr=300ms")
        assert moved >= CLIENTS, moved


@case("conformance/U5 real QUIC clients keep their backend by their flow while the pool changes")
def by_flow(context):
    with open_lab(context) as lab:
        site = Site(context.tmp)
        nodes = add_nodes(lab, 3, ports=())
        for node in nodes:
            site.serve(node, VIP[4], None)
        pool, = start(lab, nodes, service("quic", PORT, protocol="udp", quic=True), size=2)
        assert downloads_outlive_a_change(context, lab, pool) == 0
