#!/usr/bin/env python3
"""Says what a chat message costs the release server in system calls, instructions, allocations and actor messages.

Each is counted in a long and in a short run of `rookery bench chat`; the difference of the counts, divided by the
difference in messages, leaves out start, logins and end. It takes about three minutes.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from accounts import Group
from servers import BINARY, Rookery

GROUP = Group("chat", 200, 0)
#: Seconds of the two runs.
SHORT, LONG = 1, 6
#: Functions of the allocator that give memory out.
ALLOCATES = re.compile(r"^((m|c|re)alloc|(m|r)allocx)$")
#: How an actor takes a message out of its mailbox.
TAKES = "EnvelopeProxy<A>>::handle"


class Watched(Rookery):
    """The server under a tool that counts."""

    tool: list[str] = []

    def command(self, plain: bool) -> list[str]:
        return [*self.tool, *super().command(plain)]


def main() -> int:
    for in_flight in [1, 10]:
        print(f"chat, {in_flight} in flight, TLS, for each message:")
        for name, tool, read in [
            ("system calls", ["strace", "-f", "-c", "-U", "name,calls", "-o", "@"], system_calls),
            ("under callgrind", ["valgrind", "--quiet", "--tool=callgrind", "--callgrind-out-file=@"], calls),
        ]:
            counts = difference(tool, read, in_flight)
            print(f"  {name}: " + ", ".join(f"{count:.2f} {what}" for what, count in counts.most_common(14)), flush=True)
    return 0


def difference(tool: list[str], read, in_flight: int, least: int = 100) -> Counter:
    """What each message costs. What there is less than once in `least` messages is left out."""
    (few, less), (many, more) = (watch(tool, read, in_flight, seconds) for seconds in [SHORT, LONG])
    messages = more - less
    return Counter({name: (many[name] - few[name]) / messages for name in many if many[name] - few[name] > messages / least})


def watch(tool: list[str], read, in_flight: int, seconds: int) -> tuple[Counter, int]:
    """What was counted in a run, and how many messages it had."""
    with tempfile.TemporaryDirectory(prefix="cost-") as folder:
        server = Watched(Path(folder) / "server", [GROUP])
        file = Path(folder) / "counts"
        try:
            server.seed()
            server.tool = [part.replace("@", str(file)) for part in tool]
            server.start()
            report = subprocess.run(
                [BINARY, "bench", "chat", "--in-flight", str(in_flight), *GROUP.arguments(),
                 *server.bench_arguments("starttls"), "--seconds", str(seconds), "--warm-up", "0", "--settle", "20",
                 "--parallel", "4", "--json", "-"],
                check=True, capture_output=True, text=True)
        finally:
            server.stop()
        return read(file.read_text()), json.loads(report.stdout)["balance"]["received"]


def system_calls(text: str) -> Counter:
    rows = [line.split() for line in text.splitlines()]
    counts = Counter({row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()})
    counts["in all"] = counts.pop("total", sum(counts.values()))
    return counts


def calls(text: str) -> Counter:
    """Instructions, allocations and messages to actors, from the file of callgrind."""
    counts: Counter = Counter()
    names: dict[str, str] = {}
    called = ""

    def resolve(reference: str) -> str:
        number, _, name = reference.partition(" ")
        if name:
            names[number] = re.sub(r"'\d+$", "", name)
        return names.get(number, "")

    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key == "fn":
            resolve(value)
        elif key == "cfn":
            called = resolve(value)
        elif key == "calls":
            count = int(value.split()[0])
            if ALLOCATES.match(called):
                counts["allocations"] += count
            if called.endswith(TAKES):
                counts["messages to actors"] += count
        elif line.startswith(("summary:", "totals:")):
            counts["instructions"] = int(line.split()[1])
    return counts


if __name__ == "__main__":
    sys.exit(main())
