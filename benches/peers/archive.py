#!/usr/bin/env python3
"""Asks an archive of a million messages for pages through the running release server, and says how long each takes.

It takes some minutes, nearly all of them for the messages. `archive.py 50000` makes an archive of 50 000.
"""

import base64
import json
import re
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from accounts import HOST, PASSWORD, Group
from servers import BINARY, ArchivingRookery

#: archive0 writes to archive1, whose archive is asked; archive2 is a rare guest.
GROUP = Group("archive", 3, 0)
OWNER, GUEST = f"archive1@{HOST}", f"archive2@{HOST}"
ROUNDS = 300
PAGE = 50
FORM = "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>"


class Client:
    """A connection with TLS, logged in, that reads stanzas as text."""

    def __init__(self, port: int, name: str):
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        trust.set_alpn_protocols(["xmpp-client"])
        plain = socket.create_connection(("127.0.0.1", port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = trust.wrap_socket(plain, server_hostname=HOST)
        self.text = ""
        secret = base64.b64encode(f"\0{name}\0{PASSWORD}".encode()).decode()
        self.open()
        self.ask(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>", "<success")
        self.open()
        self.ask("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "</iq>")

    def open(self) -> None:
        self.ask(
            f"<stream:stream to='{HOST}' version='1.0' xmlns='jabber:client' "
            "xmlns:stream='http://etherx.jabber.org/streams'>", "</stream:features>")

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode())

    def ask(self, text: str, end: str) -> str:
        """Sends, and gives what came up to `end`."""
        self.send(text)
        while end not in self.text:
            read = self.socket.recv(65536)
            if not read:
                raise EOFError(self.text)
            self.text += read.decode()
        answer, _, self.text = self.text.partition(end)
        return answer

    def query(self, fields: str = "", page: str = "", most: int = PAGE) -> str:
        """Asks for a page, and gives everything that came."""
        form = f"<x xmlns='jabber:x:data' type='submit'>{FORM}{fields}</x>" if fields else ""
        rsm = f"<set xmlns='http://jabber.org/protocol/rsm'><max>{most}</max>{page}</set>"
        return self.ask(f"<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'>{form}{rsm}</query></iq>", "</iq>")


def field(name: str, value: str) -> str:
    return f"<field var='{name}'><value>{value}</value></field>"


def fill(server: ArchivingRookery, messages: int) -> None:
    """Has archive0 write so many messages to archive1, or a few more."""
    while messages > 0:
        seconds = 10 if messages > 100_000 else 1
        report = subprocess.run(
            [BINARY, "bench", "chat", "--user", GROUP.prefix + "%d", "--users", "2", "--in-flight", "1000",
             *server.bench_arguments("starttls"), "--seconds", str(seconds), "--warm-up", "0", "--json", "-"],
            check=True, capture_output=True, text=True)
        messages -= json.loads(report.stdout)["balance"]["received"]


def resident(server: ArchivingRookery) -> float:
    """MiB of memory that the server has."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def main() -> int:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="archive-") as folder:
        server = ArchivingRookery(Path(folder) / "server", [GROUP])
        try:
            server.seed()
            server.start()
            fill(server, messages // 2)
            guest = Client(server.tls, "archive2")
            for number in range(3):
                guest.send(f"<message to='{OWNER}' type='chat'><body>{number}</body></message>")
            fill(server, messages - messages // 2)
            measure(server, Client(server.tls, "archive1"))
        finally:
            server.stop()
    return 0


def measure(server: ArchivingRookery, owner: Client) -> None:
    ends = owner.ask("<iq type='get' id='m'><metadata xmlns='urn:xmpp:mam:2'/></iq>", "</iq>")
    first, last = re.findall(r"timestamp='([^']+)'", ends)
    rare = owner.query(field("with", GUEST))
    middle = re.findall(r"<result [^>]*id='([0-9a-f]{32})'", rare)[0]
    moment = re.findall(r"stamp='([^']+)'", rare)[0]
    print(f"an archive from {first} to {last}; {resident(server):.0f} MiB resident")
    for name, results, arguments in [
        ("last page", PAGE, {"page": "<before/>"}),
        ("first page", PAGE, {}),
        ("page after one in the middle", PAGE, {"page": f"<after>{middle}</after>"}),
        ("page before one in the middle", PAGE, {"page": f"<before>{middle}</before>"}),
        ("one by its id", 1, {"fields": field("ids", middle)}),
        ("page by time", PAGE, {"fields": field("start", moment)}),
        ("page of a frequent correspondent", PAGE, {"fields": field("with", f"archive0@{HOST}"), "page": "<before/>"}),
        ("the three of a rare correspondent", 3, {"fields": field("with", GUEST)}),
        ("page of 250", 250, {"page": "<before/>", "most": 250}),
    ]:
        took = []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            answer = owner.query(**arguments)
            took.append((time.perf_counter() - begun) * 1000)
            found = answer.count("<result ")
            assert found == results, (name, found)
        centiles = statistics.quantiles(took, n=100)
        print(f"  {name}: p50 {centiles[49]:.2f} ms, p99 {centiles[98]:.2f} ms, worst {max(took):.2f} ms")
    print(f"{resident(server):.0f} MiB resident after {9 * ROUNDS} queries")


if __name__ == "__main__":
    sys.exit(main())
