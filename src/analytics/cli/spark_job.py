"""`analytics spark-job`."""

from __future__ import annotations

from pathlib import Path

import click

from analytics.cli.options import common, settings
from analytics.cli.output import echo


@click.command("spark-job")
@click.option("--master", metavar="URL", help="The Spark to run on [local[2]].")
@click.option("--port", metavar="P", help="Port of /metrics and /health/ready [9108].")
@click.option(
    "--jar",
    "jars",
    metavar="FILE",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A jar that Spark lacks to read Kafka; without any, they are fetched once.",
)
@click.option(
    "--adopt-topic",
    is_flag=True,
    help="Let a topic that was deleted and made anew go on where the old one ended, and exit.",
)
@common
def spark_job(
    master: str | None, port: str | None, jars: tuple[Path, ...], *, adopt_topic: bool
) -> None:
    """Fold a cluster's log into chunks, until SIGTERM."""
    in_force = settings(spark__master=master, spark__port=port)
    # Here, because they bring in Spark and what `serve` does without.
    from analytics import extras

    extras.require("the stream job", "pyspark", "pyarrow", "pyignite", "cassandra", "cryptography")
    from analytics.job.run import adopt, run
    from analytics.localcluster.jars import Jars

    if adopt_topic:
        count = adopt(in_force)
        echo(f"{count} records of the topic will be counted when the job is started again")
        return

    def say(text: str) -> None:
        echo(text, err=True)

    run(in_force, jars or sorted(Jars(in_force.cluster, say).of("spark").glob("*.jar")))
