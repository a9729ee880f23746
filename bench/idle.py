"""What `analytics serve` costs when nobody visits: seconds to be ready, memory at rest.

    python bench/idle.py [--runs 5] [--rest 10]

Each run starts a server on a fresh data folder and a free port. Prints every run, and the
median; writes bench/results/idle.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "idle.json"
ROOT = Path(__file__).parents[1]
PATIENCE_S = 60


def main() -> int:
    """Measure, print, and keep the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rest", type=float, default=10, help="seconds between ready and weighing")
    given = parser.parse_args()
    runs = []
    for number in range(1, given.runs + 1):
        ready_s, rss_mb = measure(given.rest)
        runs.append({"ready_s": round(ready_s, 3), "rss_mb": round(rss_mb, 1)})
        print(f"run {number}   ready after {ready_s:5.2f} s   at rest {rss_mb:6.1f} MB", flush=True)
    result = {
        "ready_s": statistics.median(run["ready_s"] for run in runs),
        "rss_mb": statistics.median(run["rss_mb"] for run in runs),
        "rest_s": given.rest,
        "load": round(os.getloadavg()[0], 2),
        "runs": runs,
        "processors": os.cpu_count(),
        "python": platform.python_version(),
    }
    print(f"median  ready after {result['ready_s']:5.2f} s   at rest {result['rss_mb']:6.1f} MB")
    print(f"the machine's load was {result['load']} on {result['processors']} processors")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    return 0


def measure(rest_s: float) -> tuple[float, float]:
    """Seconds from the start until `/health/ready` answers 200; megabytes after *rest_s* more."""
    with tempfile.TemporaryDirectory() as data:
        port = free_port()
        began = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-m", "analytics", "serve", "--port", str(port), "--data", data],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )
        try:
            while not ready(port):
                if server.poll() is not None:
                    sys.exit(f"the server ended with {server.returncode} before it was ready")
                if time.perf_counter() - began > PATIENCE_S:
                    sys.exit(f"the server was not ready after {PATIENCE_S} s")
                time.sleep(0.01)
            took = time.perf_counter() - began
            time.sleep(rest_s)
            return took, resident_mb(server.pid)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(PATIENCE_S)


def ready(port: int) -> bool:
    """Whether the server on *port* says that it is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def resident_mb(pid: int) -> float:
    """Memory that the process holds, in megabytes of 1,000,000 bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
