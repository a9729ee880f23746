"""Fetches the table of countries that comes with the package: `python tools/countries.py`."""

from __future__ import annotations

import sys
import tarfile
import tempfile
from pathlib import Path

from vendor import fetch, integrity

NAME, VERSION = "@ip-location-db/geo-whois-asn-country-mmdb", "2.3.2026061719"
SHA512 = (
    "sha512-xemBDNQl4mCYDuVbqe3jKGKsVDykZGkfvebhtOh/3VG"
    "Ladq8vsp7t7ontpMUt3hH7sAGT0eLDyJ99SV+0waxZg=="
)
TARGET = Path(__file__).parent.parent / "src" / "analytics" / "ingest" / "data" / "countries.mmdb"


def main() -> int:
    """Fetch and unpack the package; write nothing if its hash differs."""
    with tempfile.TemporaryDirectory() as folder:
        archive = fetch(NAME, VERSION, Path(folder))
        if integrity(archive.read_bytes()) != SHA512:
            print(f"{NAME} {VERSION} has another hash than this script says")
            return 1
        with tarfile.open(archive) as tar:
            member = tar.extractfile("package/geo-whois-asn-country.mmdb")
            if member is None:
                print(f"no table in {NAME} {VERSION}")
                return 1
            TARGET.write_bytes(member.read())
    return 0


if __name__ == "__main__":
    sys.exit(main())
