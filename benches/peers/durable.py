#!/usr/bin/env python3
"""Says what it costs Rookery that messages are durable and acknowledged.

With archives: the delay to the recipient at half of what the server bears, and synced writes and bytes on the disk for
each message that was taken up. Without: what stream management (XEP-0198) costs for each message. And what a session
takes that waits for its client, and a message that waits in it. It takes about three minutes.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cost
from accounts import Group
from servers import BINARY, ArchivingRookery, Rookery

CHAT = Group("chat", 200, 0)
AWAY = Group("user", 2000, 0)
SECONDS = "6"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="durable-") as folder:
        archived(Path(folder) / "archives")
        managed(Path(folder) / "managed")
        away(Path(folder) / "away")
    synced()
    return 0


def archived(folder: Path) -> None:
    """At full and at half load, with archives; the bytes that the process has had written to the disk."""
    with Started(ArchivingRookery(folder, [CHAT])) as server:
        before = written(server)
        full = bench(server, CHAT, "chat", "--in-flight", "10")
        bytes_each = (written(server) - before) / full["balance"]["received"]
        rate = int(full["per_second"] / 2)
        half = bench(server, CHAT, "chat", "--rate", str(rate))
    delays = ", ".join(f"{name} {half['latency_ms'][name]:.2f} ms" for name in ["p50", "p99", "p999"])
    print(f"archives, 10 in flight: {full['per_second']:.0f} messages/s, {full['server_cpu_ms_per_1000']:.1f} ms per 1000, "
          f"{bytes_each:.0f} bytes on the disk for each")
    print(f"archives, {rate}/s: {delays}", flush=True)


def managed(folder: Path) -> None:
    """The same chat with and without stream management; archives are off, but what is promised is durable."""
    with Started(Rookery(folder, [CHAT])) as server:
        for options in [[], ["--stream-management"]]:
            for in_flight in ["1", "10"]:
                report = bench(server, CHAT, "chat", "--in-flight", in_flight, *options)
                print(f"chat, {in_flight} in flight {' '.join(options)}: {report['server_cpu_ms_per_1000']:.2f} ms per 1000, "
                      f"{report['per_second']:.0f}/s", flush=True)


def away(folder: Path) -> None:
    with Started(Rookery(folder, [AWAY])) as server:
        report = bench(server, AWAY, "away", "--stream-management", "--settle", "4")["away"]
    print(f"away: {report['per_session'] / 1024:.1f} KiB a session that waits for its client, "
          f"{report['per_message']} bytes a message that waits in it", flush=True)


def synced() -> None:
    """Synced writes for each message, with archives."""
    cost.Watched.archives = True
    tool = ["strace", "-f", "-c", "-U", "name,calls", "-e", "trace=fdatasync,fsync,pwrite64,pwritev,write,writev", "-o", "@"]
    for in_flight in [1, 10]:
        counts = cost.difference(tool, cost.system_calls, in_flight, least=10_000)
        print(f"archives, {in_flight} in flight, for each message: "
              + ", ".join(f"{count:.4f} {name}" for name, count in counts.most_common(8)), flush=True)


class Started:
    """A server with its accounts, which is stopped at the end."""

    def __init__(self, server: Rookery):
        self.server = server

    def __enter__(self) -> Rookery:
        self.server.seed()
        self.server.start()
        return self.server

    def __exit__(self, *_: object) -> None:
        self.server.stop()


def bench(server: Rookery, group: Group, *arguments: str) -> dict:
    done = subprocess.run([BINARY, "bench", *arguments, *group.arguments(), *server.bench_arguments("starttls"),
                           "--seconds", SECONDS, "--json", "-"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def written(server: Rookery) -> int:
    lines = Path(f"/proc/{server.process.pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


if __name__ == "__main__":
    sys.exit(main())
