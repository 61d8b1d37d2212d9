"""What is done to each server, and which figures are read off it."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from accounts import CONTACTS, Group
from servers import BINARY, Server

BALANCE = ["sent", "received", "lost", "repeated", "reordered", "refused"]


@dataclass(frozen=True)
class Length:
    """How long everything takes, and how many accounts there are."""

    seconds: int
    warm_up: int
    settle: int
    #: Accounts of `login`, `churn` and `idle`; every second one has an idle session.
    users: int

    def groups(self) -> list[Group]:
        return [Group("chat", 200, 0), Group("ring", 200, CONTACTS), Group("user", self.users, CONTACTS)]

    def arguments(self) -> list[str]:
        return ["--seconds", str(self.seconds), "--warm-up", str(self.warm_up), "--settle", str(self.settle)]


FULL = Length(seconds=6, warm_up=2, settle=4, users=4000)
QUICK = Length(seconds=3, warm_up=1, settle=2, users=1000)


@dataclass(frozen=True)
class Figure:
    """A line of the table: where it stands in a report, and what it may be at most."""

    label: str
    read: Callable[[dict], float | None]
    #: At most this much, for Rookery.
    budget: float | None = None
    #: At most this many times the relay's figure, for Rookery.
    times_relay: float | None = None
    more_is_better: bool = False


@dataclass(frozen=True)
class Scenario:
    name: str
    #: Arguments of `rookery bench`.
    arguments: list[str]
    #: Prefix of the accounts.
    group: str
    figures: list[Figure]
    for_relay: bool = False
    #: Whether the server is started anew before.
    fresh: bool = False
    plain: bool = False
    quick: bool = True
    #: What else goes on meanwhile, by the accounts of another group.
    beside: tuple[str, list[str]] | None = None


def cpu(report: dict) -> float | None:
    return report["server_cpu_ms_per_1000"]


def cpu_each(report: dict) -> float | None:
    return report["server_cpu_ms_per_1000"] / 1000


def rate(report: dict) -> float | None:
    return report["per_second"]


def percentile(name: str) -> Callable[[dict], float | None]:
    return lambda report: report["latency_ms"][name] if report["latency_ms"] else None


def kibibytes(name: str) -> Callable[[dict], float | None]:
    return lambda report: report["memory"][name] / 1024


def kept(report: dict) -> float | None:
    """What does not come back when the sessions leave, of what they took."""
    memory = report["memory"]
    taken = memory["with_sessions"] - memory["before"]
    return 100 * (memory["after"] - memory["before"]) / taken if taken > 0 else None


def idle_figures(budget: float) -> list[Figure]:
    return [
        Figure("KiB a session", kibibytes("per_session"), budget=budget),
        Figure("empty server, MiB", lambda report: report["memory"]["before"] / 2**20),
        Figure("kept afterwards, %", kept),
    ]


SCENARIOS = [
    Scenario("login over TLS", ["login"], "user",
             [Figure("CPU, ms each", cpu_each, budget=0.3), Figure("logins/s", rate, more_is_better=True)],
             for_relay=True),
    Scenario("connect, log in, leave", ["churn"], "user", [Figure("CPU, ms each", cpu_each)], quick=False),
    Scenario("chat, 10 in flight", ["chat", "--in-flight", "10"], "chat",
             [Figure("CPU, ms per 1000", cpu, budget=6), Figure("messages/s", rate, more_is_better=True)],
             for_relay=True),
    Scenario("chat, 1 in flight", ["chat", "--in-flight", "1"], "chat",
             [Figure("CPU, ms per 1000", cpu, times_relay=2.5), Figure("messages/s", rate, more_is_better=True)],
             for_relay=True),
    Scenario("chat, 2000/s", ["chat", "--rate", "2000"], "chat",
             [Figure("p50, ms", percentile("p50")), Figure("p99, ms", percentile("p99"), budget=1),
              Figure("CPU, ms per 1000", cpu)],
             for_relay=True, quick=False),
    Scenario("chat, 500/s, while others log in", ["chat", "--rate", "500"], "chat",
             [Figure("p99, ms", percentile("p99"), budget=50)],
             quick=False, beside=("user", ["churn", "--parallel", "64"])),
    Scenario("presence to 20 contacts", ["presence", "--contacts", str(CONTACTS)], "ring",
             [Figure("CPU, ms per 1000", cpu, budget=5), Figure("deliveries/s", rate, more_is_better=True)]),
    Scenario("idle over TLS", ["idle"], "user", idle_figures(16), for_relay=True, fresh=True),
    Scenario("idle without TLS", ["idle"], "user", idle_figures(6), for_relay=True, fresh=True, plain=True),
]


class Failed(Exception):
    """A scenario that does not come to its end, and why."""


def run(scenario: Scenario, server: Server, length: Length) -> dict:
    """Runs a scenario against a server that is up, and gives the report."""
    mode = "plain" if scenario.plain else "starttls"
    beside = None
    try:
        if scenario.beside:
            group, arguments = scenario.beside
            longer = ["--seconds", str(length.seconds + 2), "--warm-up", str(length.warm_up)]
            command = bench(server, length, group, mode, [*arguments, *longer])
            beside = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "report.json"
            arguments = [*scenario.arguments, *length.arguments(), "--json", str(file)]
            done = subprocess.run(bench(server, length, scenario.group, mode, arguments), capture_output=True, text=True)
            if not file.exists():
                raise Failed(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no report")
            report = json.loads(file.read_text())
    finally:
        if beside:
            beside.wait(timeout=120)
    return report


def bench(server: Server, length: Length, prefix: str, mode: str, arguments: list[str]) -> list[str]:
    group = next(group for group in length.groups() if group.prefix == prefix)
    return [str(BINARY), "bench", *arguments, *group.arguments(), *server.bench_arguments(mode)]


def faults(report: dict) -> str:
    """The books of a run, or nothing when they are clean or not kept."""
    balance = report.get("balance")
    if not balance:
        return ""
    wrong = [f"{balance[name]} {name}" for name in BALANCE[2:] if balance[name]]
    return ", ".join(wrong)
