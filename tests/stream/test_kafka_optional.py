"""Kafka is an extra: who asks for it without having it is told what to install."""

from __future__ import annotations

import subprocess
import sys

HIDDEN = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"aiokafka", "pyignite", "cassandra", "pyspark", "pyarrow"}:
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Hide())
import importlib.util
found = importlib.util.find_spec
def find_spec(name, package=None):
    try:
        return found(name, package)
    except ModuleNotFoundError:
        return None
importlib.util.find_spec = find_spec
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HIDDEN + code], capture_output=True, text=True, check=False
    )


def test_the_log_says_what_to_install() -> None:
    done = run(
        "from analytics.settings import KafkaSettings\n"
        "from analytics.errors import Misconfigured\n"
        "from analytics.stream.kafka import kafka_log\n"
        "try:\n    kafka_log(KafkaSettings())\nexcept Misconfigured as exc:\n    print(exc)\n"
    )
    assert done.stderr == ""
    assert "(aiokafka): pip install 'hitledger[cluster]'" in done.stdout


def test_the_command_says_what_to_install() -> None:
    done = run("from analytics.cli.main import main\nsys.exit(main(['cluster', 'status']))")
    assert done.returncode == 2
    assert "pip install 'hitledger[cluster]'" in done.stderr


def test_a_server_of_one_process_needs_none_of_it() -> None:
    done = run("import analytics.server, analytics.cli.main\nprint('there')")
    assert (done.stdout, done.stderr) == ("there\n", "")
