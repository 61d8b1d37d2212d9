#!/usr/bin/env python3
"""Puts the same load on Rookery, ejabberd, Prosody and a bare relay, and prints one table with ratios.

`benches/peers/run.py` takes about ten minutes, `--quick` about two. README.md beside it says what is done.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import scenarios
from scenarios import FULL, QUICK, SCENARIOS, Failed, Length, Scenario
from servers import DEFAULT, EXAMPLE, ROOT, SERVERS, CannotStart, Rookery, Server, output

#: Reports by server and scenario.
Reports = dict[str, dict[str, dict]]


def main() -> int:
    options = parse()
    length = QUICK if options.quick else FULL
    wanted = [each for each in SCENARIOS
              if (each.quick or not options.quick) and (not options.only or any(word in each.name for word in options.only))]
    if not options.no_build:
        subprocess.run(["cargo", "build", "--quiet", "--release", "--package", "rookery-server", "--package", "rookery-bench",
                        "--bin", "rookery", "--example", "relay"], cwd=ROOT, check=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    begun = time.monotonic()
    print(conditions(), flush=True)
    folder = Path(tempfile.mkdtemp(prefix="peers-"))
    reports: Reports = {}
    notes: list[str] = []
    try:
        for name in options.servers:
            server = SERVERS[name](folder / name, length.groups())
            print(f"{name}: {server.version()}", flush=True)
            reports[name] = measure(server, wanted, length, notes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = "\n".join([table(wanted, reports), "", *notes, f"{time.monotonic() - begun:.0f} seconds in all"])
    print("\n" + text)
    if options.json:
        Path(options.json).write_text(json.dumps(reports, indent=1) + "\n")
    return 1 if notes else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="shorter, and without the slowest scenarios")
    parser.add_argument("--servers", type=lambda text: text.split(","), default=[each.name for each in DEFAULT],
                        help=f"some of {','.join(SERVERS)}")
    parser.add_argument("--only", action="append", metavar="WORDS", help="only scenarios with these words in their names")
    parser.add_argument("--no-build", action="store_true", help="take what was built before, from target or CARGO_TARGET_DIR")
    parser.add_argument("--json", metavar="FILE", help="write all reports there")
    options = parser.parse_args()
    unknown = [name for name in options.servers if name not in SERVERS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    return options


def conditions() -> str:
    """What a figure depends on besides the server."""
    model = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    commit = output(["git", "-C", str(ROOT), "log", "-1", "--format=%h"])
    return (f"{time.strftime('%Y-%m-%d %H:%M')}, {len(model)} processors ({model[0] if model else platform.machine()}), "
            f"Linux {platform.release()}, load average {os.getloadavg()[0]:.2f}, commit {commit}\n")


def measure(server: Server, wanted: list[Scenario], length: Length, notes: list[str]) -> dict[str, dict]:
    """Runs everything against one server. What cannot be run becomes a note."""
    found: dict[str, dict] = {}
    try:
        server.seed()
        if isinstance(server, Rookery):
            keys = " ".join(f"{key}={Path(value).name if '/' in value else value}" for key, value in server.keys(False).items())
            print(f"  {EXAMPLE.relative_to(ROOT)} as shipped, but {keys}")
            print("  and listener.c2s.starttls=off for what is measured without TLS")
        up: tuple[bool, bool] | None = None
        for scenario in wanted:
            if not server.speaks_xmpp and not scenario.for_relay:
                continue
            state = (scenario.plain, scenario.fresh)
            if up != state or scenario.fresh:
                server.stop()
                server.start(scenario.plain)
                up = state
            try:
                found[scenario.name] = scenarios.run(scenario, server, length)
            except Failed as error:
                notes.append(f"! {server.name}, {scenario.name}: {error}")
                continue
            figures = ", ".join(f"{figure.label} {show(figure.read(found[scenario.name]))}" for figure in scenario.figures)
            print(f"  {scenario.name}: {figures}", flush=True)
            if faults := scenarios.faults(found[scenario.name]):
                notes.append(f"! {server.name}, {scenario.name}: {faults}")
    except (CannotStart, subprocess.SubprocessError) as error:
        notes.append(f"! {server.name} could not be measured: {error}")
    finally:
        server.stop()
    return found


def table(wanted: list[Scenario], reports: Reports) -> str:
    """All figures in Markdown; the last columns compare Rookery with the others and with its budget."""
    names = list(reports)
    compare = "rookery" in names
    head = ["", *names, *(["best peer / rookery", "rookery / relay", "budget"] if compare else [])]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for scenario in wanted:
        for figure in scenario.figures:
            values = {name: figure.read(found[scenario.name]) for name, found in reports.items() if scenario.name in found}
            row = [f"{scenario.name}: {figure.label}", *(show(values.get(name)) for name in names)]
            rows.append([*row, *(ratios(figure, values) if compare else [])])
    books = sum(report["balance"]["received"] for found in reports.values() for report in found.values()
                if report.get("balance"))
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, "", f"{books} numbered stanzas were received; what was lost, repeated, reordered or refused "
                      "stands below, if anything was."])


def ratios(figure: scenarios.Figure, values: dict[str, float | None]) -> list[str]:
    own, relay = values.get("rookery"), values.get("relay")
    peers = [value for name, value in values.items() if name not in ("rookery", "relay") and value]
    best = (max if figure.more_is_better else min)(peers, default=None)
    against = own / best if figure.more_is_better and own and best else best / own if own and best else None
    limit = figure.budget
    if figure.times_relay and relay:
        limit = figure.times_relay * relay
    verdict = "" if limit is None or own is None else f"{'≤' if own <= limit else 'MISSED:'} {show(limit)}"
    return [f"{against:.1f}" if against else "", f"{own / relay:.1f}" if own and relay else "", verdict]


def show(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}".replace(",", " ") if value >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
