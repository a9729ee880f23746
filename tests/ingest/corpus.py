"""User agents with their labels; tools/corpus.py says where they are from."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "corpus"


class Labelled(NamedTuple):
    kind: str
    agent: str


def read(name: str) -> list[Labelled]:
    """The agents of one file, such as `people-held-out`."""
    with (FOLDER / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Labelled(row["kind"], row["user agent"]) for row in rows]
