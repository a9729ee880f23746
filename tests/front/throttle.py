"""Gives processes a share of a processor, by stopping them again and again, until input ends."""

from __future__ import annotations

import os
import select
import signal
import sys
from itertools import cycle

_ROUND_S = 0.1


def main() -> None:
    """Run it: SHARE PID…"""
    share, *pids = sys.argv[1:]
    runs_s = float(share) * _ROUND_S
    turns = ((signal.SIGCONT, runs_s), (signal.SIGSTOP, _ROUND_S - runs_s))
    try:
        for number, pause_s in cycle(turns):
            for pid in pids:
                os.kill(int(pid), number)
            if select.select([sys.stdin], [], [], pause_s)[0]:
                break
    finally:
        for pid in pids:
            os.kill(int(pid), signal.SIGCONT)


if __name__ == "__main__":
    main()
