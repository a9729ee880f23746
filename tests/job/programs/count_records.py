"""Print how many records Spark reads from Kafka by each configuration that is named."""

from __future__ import annotations

import sys
from pathlib import Path

from analytics.job.spark import PartitionSource, StreamPlan, session, source_options
from analytics.localcluster.jars import Jars
from analytics.settings import load


def main() -> None:
    """Read the topic of each configuration from its first record to its last."""
    settings = [load(Path(name), {}, environment={}) for name in sys.argv[1:]]
    jars = sorted(Jars(settings[0].cluster, print).of("spark").glob("*.jar"))
    spark = session(StreamPlan("local[1]", Path("checkpoint"), jars, 512, 1))
    for each in settings:
        sources = [PartitionSource(number, None, 1000) for number in range(each.kafka.partitions)]
        options = [source_options(each.kafka, source) for source in sources]
        counts = [spark.read.format("kafka").options(**o).load().count() for o in options]
        print(sum(counts), flush=True)
    spark.stop()


if __name__ == "__main__":
    main()
