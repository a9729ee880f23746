"""`analytics rebuild` shows what changes, asks, and stores it."""

from __future__ import annotations

from tests.cli.conftest import Command


def line(minute: int) -> bytes:
    return (
        f'192.0.2.1 - - [24/Nov/2025:12:{minute:02}:00 +0000] "GET /{minute} HTTP/1.1" 200 9'
        ' "-" "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"\n'
    ).encode()


def import_out_of_order(command: Command) -> None:
    """Bring in the first and the last page of a visit of 40 minutes, and then what lay between."""
    command("site", "add", "example.com", "--timezone", "Etc/UTC")
    for log in (line(0) + line(40), line(20)):
        done = command("import", "access-log", "-", "--site", "example.com", stdin=log)
        assert done.code == 0, done.err


def test_what_changes_is_shown_and_stored_only_with_apply(command: Command) -> None:
    import_out_of_order(command)
    shown = command("rebuild", "--json").json
    assert shown["applied"] is False
    (site,) = shown["sites"]
    assert (site["site"], site["events"], site["changed"], site["days"]) == ("example.com", 3, 2, 1)
    assert {"day": "2025-11-24", "figure": "visits", "dimension": "", "value": ""} | {
        "before": 2,
        "after": 1,
    } in site["changes"]
    table = command("rebuild", "--site", "example.com").out.splitlines()
    assert table[0].split() == ["Site", "Day", "Figure", "Before", "After"]
    assert ["example.com", "2025-11-24", "visits", "2", "1"] in [row.split() for row in table]
    assert table[-1] == "2 of 3 events would change (store that with --apply)."
    assert command("rebuild", "--json").json == shown, "nothing was stored"
    applied = command("rebuild", "--apply", "--yes", "--json").json
    assert applied == {**shown, "applied": True}
    assert command("rebuild").out.splitlines() == [
        "No figure changes.",
        "0 of 3 events would change (store that with --apply).",
    ]
    entry = command("audit-log", "--json").json[0]
    assert (entry["what"], entry["site"], entry["about"]) == (
        "data-rebuilt",
        "example.com",
        "2 events",
    )
    assert command("audit").code == 0


def test_it_asks_and_names_sites_that_are_here(command: Command) -> None:
    import_out_of_order(command)
    refused = command("rebuild", "--apply", stdin=b"y\n")
    assert (refused.code, refused.out) == (2, "")
    assert "give --yes" in refused.err
    assert command("rebuild", "--yes").code == 2
    unknown = command("rebuild", "--site", "nowhere.example")
    assert (unknown.code, "nowhere.example is not a site here" in unknown.err) == (2, True)
