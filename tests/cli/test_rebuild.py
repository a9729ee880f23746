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


def test_the_table_names_entry_pages_and_direct_visits_and_what_is_not_compared(
    command: Command,
) -> None:
    import_out_of_order(command)
    table = command("rebuild").out
    rows = [" ".join(row.split()) for row in table.splitlines()]
    assert "example.com 2025-11-24 visits by visit:entry_page /40 1 0" in rows
    assert "example.com 2025-11-24 exits by visit:exit_page /0 1 0" in rows
    assert "example.com 2025-11-24 views_per_visit 1.5 3" in rows
    assert "example.com 2025-11-24 visits by visit:source Direct / None 2 1" in rows
    assert "Not compared: figures by hour" in rows[-2]


def test_a_log_in_reverse_order_changes_entry_pages_though_not_the_visits(command: Command) -> None:
    command("site", "add", "example.com", "--timezone", "Etc/UTC")
    done = command("import", "access-log", "-", "--site", "example.com", stdin=line(20) + line(0))
    assert done.code == 0, done.err
    rows = [" ".join(row.split()) for row in command("rebuild").out.splitlines()]
    assert "example.com 2025-11-24 visits by visit:entry_page /0 0 1" in rows
    assert "example.com 2025-11-24 visits by visit:entry_page /20 1 0" in rows
