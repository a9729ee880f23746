"""Makes the table of regions that comes with the package: `python tools/regions.py`."""

from __future__ import annotations

import json
import re
import sys
import tarfile
import tempfile
from pathlib import Path

from vendor import fetch, integrity

NAME, VERSION = "iso-3166", "4.4.0"
SHA512 = (
    "sha512-I6ylkNQgxVh7cYADMUJpqBUdremGvyGZkDRSk9Cdic/"
    "ITBUemsllQnUeRpz7yDKyfgAXI9oPa5A9dia+7IXLqw=="
)
DATA = Path(__file__).parent.parent / "src" / "analytics" / "data"
ENTRY = re.compile(r"""code: '([A-Z]{2}-[A-Z0-9]{1,3})',\s+name: ("[^"]*"|'[^']*')""")


def main() -> int:
    """Fetch the package and write its codes and names; write nothing if its hash differs."""
    with tempfile.TemporaryDirectory() as folder:
        archive = fetch(NAME, VERSION, Path(folder))
        if integrity(archive.read_bytes()) != SHA512:
            print(f"{NAME} {VERSION} has another hash than this script says")
            return 1
        with tarfile.open(archive) as tar:
            table, licence = (tar.extractfile(f"package/{name}") for name in ("2.js", "license"))
            if table is None or licence is None:
                print(f"no table in {NAME} {VERSION}")
                return 1
            entries = ENTRY.findall(table.read().decode())
            terms = licence.read().decode()
    names = dict(sorted((code, quoted[1:-1]) for code, quoted in entries))
    made = json.dumps(names, ensure_ascii=False, indent=0)
    (DATA / "regions.json").write_text(f"{made}\n", "utf-8")
    (DATA / "regions.NOTICE.txt").write_text(
        f"regions.json is made from 2.js of the npm package {NAME} {VERSION}"
        f" by tools/regions.py, under this licence:\n\n{terms}",
        "utf-8",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
