"""Print which interpreter the executors of a master run, as JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from analytics.job.spark import StreamPlan, session


def main() -> None:
    """Ask one task for the wrapper that started its interpreter, and for its prefix."""
    spark = session(StreamPlan(sys.argv[1], Path(sys.argv[2]), [], 512, 1))
    tasks = spark.sparkContext.parallelize([None], 1)
    (answer,) = tasks.map(lambda _: (os.environ.get("INTERPRETER"), sys.prefix)).collect()
    spark.stop()
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
