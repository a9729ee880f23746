#!/usr/bin/env bash
# Tables of countries: what is reserved has a country in one, what is IPv4 in IPv6 has none in any.
#
# Versions: iptocc 3.3.170 (PyPI), geo-whois-asn-country-mmdb 2.3.2026061719 (npm) read by
# maxminddb 3.2.0 (PyPI).
#
# One might guess that an address of documentation (RFC 5737) is nowhere, and that ::ffff:8.8.8.8,
# which a socket of both families shows for 8.8.8.8, is where 8.8.8.8 is: MaxMind's own files lead
# there by an alias in the tree. Neither holds:
#
#                    iptocc  geo-whois-asn
#   8.8.8.8          US      US
#   ::ffff:8.8.8.8   None    None
#   2002:808:808::1  None    None
#   203.0.113.9      None    AU
#
# Unwrap an address before it is looked up, and look up none that is not global.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check iptocc==3.3.170 maxminddb==3.2.0
cd "$folder"
npm pack --silent @ip-location-db/geo-whois-asn-country-mmdb@2.3.2026061719 > name
tar xzf "$(tail -1 name)"
cat > show.py <<'PYTHON'
from importlib import metadata

import iptocc
import maxminddb

print("iptocc", metadata.version("iptocc"), "maxminddb", metadata.version("maxminddb"))
reader = maxminddb.open_database("package/geo-whois-asn-country.mmdb")
seen = {}
for address in ("8.8.8.8", "::ffff:8.8.8.8", "2002:808:808::1", "203.0.113.9"):
    record = reader.get(address)
    seen[address] = (iptocc.country_code(address), record and record["country_code"])
    print(f"  {address:16}", *(f"{str(code):7}" for code in seen[address]))
assert seen == {
    "8.8.8.8": ("US", "US"),
    "::ffff:8.8.8.8": (None, None),
    "2002:808:808::1": (None, None),
    "203.0.113.9": (None, "AU"),
}, seen
PYTHON
"$folder/venv/bin/python" show.py
