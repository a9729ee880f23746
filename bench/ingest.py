"""Requests a second and p99 of durable ingest, against bare uvicorn and a plain Starlette route.

    python bench/ingest.py [--seconds 8] [--rounds 3]

Starts each server in turn on this machine (round by round, so that all of them meet the same
weather), loads it with wrk at 32 and at 256 connections, and prints medians and ratios. Nothing
is pinned: wrk and the server share the cores as they will. The result goes to
bench/results/ingest.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
KINDS = {
    "bare": "(a) bare uvicorn app that reads the body",
    "route": "(b) plain Starlette route",
    "analytics": "(c) analytics serve, durable",
}
CONNECTIONS = (32, 256)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server(kind: str, port: int) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=HERE) as folder:
        analytics = [sys.executable, "-m", "analytics"]
        if kind == "analytics":
            data = ["--data", f"{folder}/data"]
            subprocess.run(
                [*analytics, "site", "add", "bench.example", *data],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            command = [*analytics, "serve", "--port", str(port), *data]
        else:
            command = [sys.executable, str(HERE / "yardsticks.py"), kind, str(port)]
        environment = {**os.environ, "ANALYTICS_LOGS__LEVEL": "error"}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            wait_for(port)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise SystemExit("the server did not start")


def load(port: int, connections: int, seconds: int) -> tuple[float, float]:
    """Requests a second, and the 99th percentile in milliseconds."""
    how = ["-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(HERE / "post.lua")]
    ran = subprocess.run(
        ["wrk", *how, f"http://127.0.0.1:{port}/"], check=True, capture_output=True, text=True
    )
    if "Non-2xx" in ran.stdout or "Socket errors" in ran.stdout:
        raise SystemExit(ran.stdout)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", ran.stdout)[1])
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", ran.stdout).groups()
    return rate, float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def lag(port: int) -> float:
    """How many durable events are not in the figures yet."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
        return float(re.search(rb"^analytics_log_lag_records ([\d.e+]+)", reply.read(), re.M)[1])


def drain(port: int) -> tuple[float, float]:
    """The lag now, and the seconds until there is none."""
    began, behind = time.monotonic(), lag(port)
    while lag(port) > 0:
        time.sleep(0.1)
    return behind, time.monotonic() - began


Runs = dict[tuple[str, int], list[tuple[float, float]]]


def measure(rounds: int, seconds: int) -> tuple[Runs, list[tuple[float, float]]]:
    """Every server, round by round; and what ingest was behind at the end of each load."""
    runs: Runs = {}
    drains = []
    for number in range(1, rounds + 1):
        for kind, title in KINDS.items():
            port = free_port()
            with server(kind, port):
                load(port, 32, 1)  # warm
                for connections in CONNECTIONS:
                    rate, p99 = load(port, connections, seconds)
                    runs.setdefault((kind, connections), []).append((rate, p99))
                    say(f"round {number}", title, connections, rate, p99)
                    if kind == "analytics":
                        behind, later = drain(port)
                        drains.append((behind, round(later, 1)))
                        print(f"  {behind:,.0f} events behind, in the figures {later:.1f} s later")
    return runs, drains


def say(what: str, title: str, connections: int, rate: float, p99: float, more: str = "") -> None:
    print(
        f"{what}  {title:42} {connections:4} conns {rate:9,.0f}/s  p99 {p99:6.1f} ms{more}",
        flush=True,
    )


def summary(runs: Runs) -> list[dict[str, object]]:
    """Medians; each ratio is taken within its round, and their median quoted."""
    figures = []
    for connections in CONNECTIONS:
        bare = [rate for rate, _ in runs["bare", connections]]
        for kind, title in KINDS.items():
            rates = [rate for rate, _ in runs[kind, connections]]
            rate = statistics.median(rates)
            p99 = statistics.median(p99 for _, p99 in runs[kind, connections])
            ratio = statistics.median(a / b for a, b in zip(rates, bare, strict=True))
            say("median ", title, connections, rate, p99, f"  {ratio:5.2f} of (a)")
            figures.append(
                {
                    "kind": kind,
                    "connections": connections,
                    "per_second": round(rate),
                    "p99_ms": p99,
                    "ratio_to_bare": round(ratio, 3),
                }
            )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    runs, drains = measure(asked.rounds, asked.seconds)
    result = {
        "command": f"python bench/ingest.py --seconds {asked.seconds} --rounds {asked.rounds}",
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        "figures": summary(runs),
        "behind_and_seconds_to_catch_up": drains,
    }
    path = HERE / "results" / "ingest.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
