"""Every command gives the same answer beside a server as alone."""

from __future__ import annotations

import csv
import gzip
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import duckdb
import pytest
from tests.cli.conftest import Command, called
from tests.imported import export

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def access_log(pages: int) -> bytes:
    lines = [
        f"203.0.113.{n % 200} - - [{17 + n % 3}/May/2015:10:05:{n % 60:02} +0000] "
        f'"GET /{n} HTTP/1.1" 200 5 "-" "{FIREFOX}"\n'
        for n in range(pages)
    ]
    return "".join(lines).encode()


def test_a_site_is_added_listed_and_removed(command: Command) -> None:
    added = command("site", "add", "WWW.Example.com", "--timezone", "Asia/Tehran", "--json").json
    assert (added["site"], added["timezone"]) == ("example.com", "Asia/Tehran")
    assert UUID(added["id"])
    assert command("site", "list", "--json").json == [added]
    removed = command("site", "remove", added["id"], "--yes", "--json").json
    assert removed == {"site": "example.com", "keys_revoked": 0}
    assert command("site", "list", "--json").json == []


def test_settings_of_a_site_are_shown_and_set(command: Command) -> None:
    command("site", "add", "example.com")
    before = command("site", "show", "example.com", "--json").json
    assert command("site", "list", "--json").json == [before]
    assert "retention_days" in command("site", "show", "example.com").out
    some = ("--timezone", "Asia/Tehran", "--public", "--cookieless", "--retention-days", "400")
    lists = ("--other-hostname", "*.A.example", "--other-hostname", "b.example")
    shields = ("--shield-country", "de", "--shield-page", "/admin/*")
    more = ("--honour-dnt", "--count-spam-referrers", "--revenue-ceiling", "5000")
    more = (*more, "--events-per-day", "20000")
    changed = command("site", "set", "example.com", *some, *lists, *shields, *more, "--json").json
    assert changed == {
        **before,
        "timezone": "Asia/Tehran",
        "public": True,
        "cookieless": True,
        "retention_days": 400,
        "other_hostnames": ["*.a.example", "b.example"],
        "shields": {**before["shields"], "countries": ["DE"], "pages": ["/admin/*"]},
        "honour_dnt": True,
        "count_spam_referrers": True,
        "revenue_ceiling": 5000,
        "events_per_day": 20_000,
    }
    back = ("--no-public", "--retention-days", "none", "--revenue-ceiling", "none")
    back = (*back, "--events-per-day", "none")
    again = command("site", "set", "example.com", *back, "--shield-page", "", "--json").json
    shields_now = {**changed["shields"], "pages": []}
    nothing = {"public": False, "retention_days": None, "revenue_ceiling": None}
    nothing = {**nothing, "events_per_day": None}
    assert again == {**changed, **nothing, "shields": shields_now}
    assert command("site", "show", "www.example.com", "--json").json == again
    for wrong, why in (
        (("--timezone", "Mars/Olympus"), "is not a time zone"),
        (("--shield-address", "office"), "give an IP address or a network"),
        (("--shield-hostname", "https://a.example/"), "give a hostname alone"),
        (("--retention-days", "0"), "from 1 to 36,500"),
        (("--retention-days", "soon"), "neither a whole number nor none"),
        ((), "nothing to change"),
    ):
        refused = command("site", "set", "example.com", *wrong)
        assert (refused.code, why in refused.err) == (2, True), refused.err
    assert command("site", "show", "example.com", "--json").json == again


def test_goals_are_added_listed_changed_and_removed(command: Command) -> None:
    command("site", "add", "example.com")
    page = command("goal", "add", "example.com", "--page", "/blog*", "--json").json
    some = ("--event", "signup", "--property", "plan=pro", "--currency", "eur", "--name", "Sold")
    event = command("goal", "add", "example.com", *some, "--json").json
    assert page == {
        "site": "example.com",
        "id": 1,
        "name": "Visit /blog*",
        "event": "",
        "page": "/blog*",
        "scroll": None,
        "properties": {},
        "currency": "",
    }
    assert (event["id"], event["properties"], event["currency"]) == (2, {"plan": "pro"}, "EUR")
    assert command("goal", "list", "example.com", "--json").json == [event, page]
    assert "event signup with plan=pro" in command("goal", "list", "example.com").out
    depth = ("goal", "change", "example.com", "Visit /blog*", "--scroll", "75", "--json")
    assert command(*depth).json == {**page, "name": "Scroll 75% on /blog*", "scroll": 75}
    bare = ("--no-properties", "--currency", "", "--name", "signup", "--json")
    changed = command("goal", "change", "example.com", "2", *bare).json
    assert changed == {**event, "properties": {}, "currency": "", "name": "signup"}
    refused = command("goal", "remove", "example.com", "sign-up", "--yes")
    assert (refused.code, "did you mean signup?" in refused.err) == (2, True)
    asked = command("goal", "remove", "example.com", "signup")
    assert (asked.code, "give --yes" in asked.err) == (2, True)
    assert command("goal", "remove", "example.com", "signup", "--yes", "--json").json == changed
    assert len(command("goal", "list", "example.com", "--json").json) == 1


def test_a_goal_that_makes_no_sense_is_refused(command: Command) -> None:
    command("site", "add", "example.com")
    for options, reason in (
        ((), "name the event or the page"),
        (("--page", "thanks"), "begin the path with a slash"),
        (("--event", "pageview"), "give a page instead"),
        (("--event", "a", "--scroll", "50"), "give a page, and a whole number"),
        (("--page", "/a", "--currency", "EUR"), "only goals of custom events have revenue"),
        (("--event", "a", "--property", "plan"), "give NAME=VALUE"),
    ):
        refused = command("goal", "add", "example.com", *options)
        assert (refused.code, reason in refused.err) == (2, True), refused.err


def test_no_segment_is_listed_and_none_removed(command: Command) -> None:
    command("site", "add", "example.com")
    assert command("segment", "list", "example.com", "--json").json == []
    refused = command("segment", "remove", "example.com", "3", "--yes")
    assert (refused.code, "has no segment '3'" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        ('[["matches","event:page",["(("]]]', "not a regular expression"),
        ('[["is","visit:os",["Mac"]],["not",["matches_not","event:page",["("]]]]', "RE2"),
        ('[["is","event:goal",["Sing up"]]]', "did you mean Sign up?"),
        ('[["matches","event:goal",["Sign up"]]]', "a goal is compared by is and contains"),
        ('[["is","time:day",["2026-11-23"]]]', "time:day cannot be filtered by"),
    ],
)
def test_a_segment_that_no_report_can_use_is_refused(
    command: Command, filters: str, reason: str
) -> None:
    command("site", "add", "example.com")
    command("goal", "add", "example.com", "--event", "Sign up")
    add = ("segment", "add", "example.com", "Odd")
    refused = command(*add, "--filters", filters)
    assert (refused.code, reason in refused.err) == (2, True), refused.err
    command(*add, "--filters", '[["is","event:goal",["Sign up"]]]')
    refused = command("segment", "change", "example.com", "Odd", "--filters", filters)
    assert (refused.code, reason in refused.err) == (2, True), refused.err
    (kept,) = command("segment", "list", "example.com", "--json").json
    assert kept["filters"] == [["is", "event:goal", ["Sign up"]]]


def test_a_shorter_retention_is_not_set_unasked(command: Command) -> None:
    command("site", "add", "example.com")
    shorter = ("site", "set", "example.com", "--retention-days", "30", "--json")
    assert command(*shorter).json["retention_days"] == 30, "there is nothing to delete"
    command("site", "set", "example.com", "--retention-days", "none")
    command("import", "access-log", "-", "--site", "example.com", stdin=access_log(3))
    refused = command(*shorter, stdin=b"y\n")
    assert (refused.code, refused.out, "give --yes" in refused.err) == (2, "", True)
    assert command("site", "show", "example.com", "--json").json["retention_days"] is None
    assert command(*shorter, "--yes").json["retention_days"] == 30
    longer = command("site", "set", "example.com", "--retention-days", "40", "--json")
    assert longer.json["retention_days"] == 40, "which deletes nothing"


def test_a_person_is_added_with_a_password_from_standard_input(command: Command) -> None:
    add = ("user", "add", "Ada@Example.com", "--owner", "--password-stdin")
    assert command(*add, stdin=b"correct horse\n").code == 0
    again = command(*add, stdin=b"correct horse")
    assert (again.code, again.err) == (
        2,
        "analytics: ada@example.com has an account already\n",
    )
    (person,) = command("user", "list", "--json").json
    assert (person["email"], person["owner"]) == ("ada@example.com", True)
    assert command("user", "remove", "ada@example.com", "--yes").code == 0


def test_a_person_is_given_a_second_site_and_another_password(command: Command) -> None:
    for domain in ("a.example", "b.example"):
        command("site", "add", domain)
    stdin = ("--password-stdin", "--json")
    command("user", "add", "ada@example.com", "--owner", *stdin, stdin=b"correct horse")
    command("user", "add", "bob@example.com", "--site", "a.example", *stdin, stdin=b"long enough")
    changed = command("user", "change", "BOB@example.com", "--add", "www.b.example", "--json").json
    assert changed["sites"] == ["a.example", "b.example"]
    dropped = command("user", "change", "bob@example.com", "--drop", "a.example", "--json").json
    assert dropped["sites"] == ["b.example"]
    none = command("user", "change", "bob@example.com", "--drop", "b.example")
    assert (none.code, "no site any more" in none.err) == (2, True)
    only = command("user", "change", "ada@example.com", "--no-owner", "--add", "a.example")
    assert (only.code, "the only owner" in only.err) == (2, True)
    assert command("user", "change", "bob@example.com").code == 2
    set_ = command("user", "password", "bob@example.com", *stdin, stdin=b"another long one\n")
    assert set_.json == {"email": "bob@example.com"}
    short = command("user", "password", "bob@example.com", *stdin, stdin=b"short")
    assert (short.code, "10 to 256 characters" in short.err) == (2, True)
    assert command("user", "password", "eve@example.com", *stdin, stdin=b"long enough").code == 2


def test_what_cannot_be_undone_is_not_done_unasked(command: Command) -> None:
    command("site", "add", "example.com")
    command("import", "access-log", "-", "--site", "example.com", stdin=access_log(3))
    command("user", "add", "ada@example.com", "--owner", "--password-stdin", stdin=b"long enough")
    for arguments in (
        ("site", "remove", "example.com"),
        ("site", "remove", "example.com", "--erase", "--json"),
        ("erase", "--site", "example.com", "--everything"),
        ("user", "remove", "ada@example.com"),
    ):
        refused = command(*arguments, stdin=b"y\n")
        assert (refused.code, refused.out) == (2, ""), arguments
        assert "give --yes" in refused.err
    assert len(command("export", "--site", "example.com").out.splitlines()) == 3
    removed = command("site", "remove", "example.com", "--erase", "--yes", "--json").json
    assert removed == {"site": "example.com", "keys_revoked": 0, "rows_deleted": 3}
    assert "events_since" not in command("site", "add", "example.com", "--json").json


def test_a_site_that_comes_back_says_what_comes_with_it(command: Command) -> None:
    command("site", "add", "example.com")
    command("import", "access-log", "-", "--site", "example.com", stdin=access_log(3))
    assert command("site", "remove", "example.com", "--yes").code == 0
    assert "events since 2015-05-17" in command("site", "add", "https://example.com/").out


def test_everybody_is_logged_out_by_a_command(command: Command) -> None:
    stdin = ("--password-stdin",)
    command("user", "add", "ada@example.com", "--owner", *stdin, stdin=b"long enough\n")
    assert command("user", "logout", "ADA@example.com", "--json").json == {
        "email": "ada@example.com",
        "sessions": 0,
    }
    assert "Everybody is logged out: 0" in command("user", "logout", "--everybody").out
    assert command("user", "logout").code == 2
    assert command("user", "logout", "eve@example.com").code == 2
    key = ("key", "create", "--all-sites", "--scope", "stats:read", "--expires", "30", "--json")
    created = command(*key).json
    assert created["expires_at"] == created["created_at"] + 30 * 86_400_000
    (listed,) = command("key", "list", "--json").json
    assert (listed["expires_at"], listed["last_used"]) == (created["expires_at"], None)


def test_what_commands_change_is_in_the_audit_log(command: Command, tmp_path: Path) -> None:
    assert command("site", "add", "example.com").code == 0
    log = access_log(3)
    command("import", "access-log", "-", "--site", "example.com", stdin=log)
    command("export", "--site", "example.com")
    command("user", "add", "ada@example.com", "--owner", "--password-stdin", stdin=b"long enough")
    command("erase", "--site", "example.com", "--everything", "--yes")
    command("backup", tmp_path / "b.tar")
    command("site", "remove", "example.com", "--yes")
    entries = command("audit-log", "--json").json
    assert [(each["what"], each["who"], each.get("site", "")) for each in reversed(entries)] == [
        ("site-added", "a command", "example.com"),
        ("data-imported", "a command", "example.com"),
        ("data-exported", "a command", "example.com"),
        ("person-added", "a command", ""),
        ("data-erased", "a command", "example.com"),
        ("backup-made", "a command", ""),
        ("site-removed", "a command", "example.com"),
    ]
    shown = command("audit-log", "--site", "example.com", "--most", "2").out.splitlines()
    assert len(shown) == 3
    assert "data-erased" in shown[2]
    assert "3 events" in shown[2]


def test_a_key_is_created_listed_without_its_secret_and_revoked(command: Command) -> None:
    command("site", "add", "example.com")
    scopes = ("--scope", "stats:read,sites:write", "--json")
    created = command("key", "create", "--site", "example.com", *scopes).json
    assert created["key"].startswith("ak_")
    assert created["scopes"] == ["stats:read", "sites:write"]
    listed = command("key", "list", "--json")
    assert [key["id"] for key in listed.json] == [created["id"]]
    assert created["key"] not in listed.out
    assert command("key", "revoke", created["id"]).code == 0
    assert command("key", "list", "--json").json == []


def test_an_import_counts_and_the_same_again_adds_nothing(command: Command, tmp_path: Path) -> None:
    command("site", "add", "example.com")
    file = tmp_path / "access.log.gz"
    file.write_bytes(gzip.compress(access_log(30) + b"nonsense\n"))
    told = command("import", "access-log", file, "--site", "example.com")
    assert told.code == 0, told.err
    assert "31 lines read for example.com" in told.out
    assert "30 stored, 0 were there already" in told.out
    assert "1 unreadable: line 31" in told.out
    assert "1 of them: it has no time in brackets, such as [17/May/2015:10:05:03 +0000]" in told.out
    assert "the first is line 31: nonsense" in told.out
    assert "What can be read is the combined format, such as 203.0.113.9 - - [" in told.out
    assert "Warning" not in told.out
    again = command(
        "import", "access-log", "-", "--site", "example.com", "--json", stdin=access_log(30)
    ).json
    assert (again["stored"], again["duplicate"]) == (0, 30)
    audited = command("audit", "--json").json
    assert audited["balanced"] is True
    (site,) = audited["sites"]
    assert (site["received"], site["stored"], site["duplicate"]) == (60, 30, 30)


def test_an_import_warns_of_a_log_without_user_agents(command: Command) -> None:
    command("site", "add", "example.com")
    silent = [line.rpartition(b'"Mozilla')[0] + b'"-"\n' for line in access_log(3).splitlines()]
    done = command("import", "access-log", "-", "--site", "example.com", stdin=b"".join(silent))
    assert "Warning: 100 % of the page views have no user agent" in done.out


def test_an_export_holds_the_days_asked_for_in_each_format(
    command: Command, tmp_path: Path
) -> None:
    command("site", "add", "example.com")
    command("import", "access-log", "-", "--site", "example.com", stdin=access_log(30))
    days = ("--site", "example.com", "--from", "2015-05-17", "--to", "2015-05-18")
    rows = [json.loads(line) for line in command("export", *days).out.splitlines()]
    assert len(rows) == 20
    assert {row["ts"][:10] for row in rows} == {"2015-05-17", "2015-05-18"}
    assert all(row["ts"].endswith("Z") for row in rows)
    assert command("export", *days, "--format", "csv", "--output", tmp_path / "e.csv").code == 0
    with (tmp_path / "e.csv").open() as file:
        assert {row["path"] for row in csv.DictReader(file)} == {row["path"] for row in rows}
    to_file = ("--format", "parquet", "--output", tmp_path / "e.parquet")
    assert command("export", *days, *to_file).code == 0
    parquet = str(tmp_path / "e.parquet")
    assert duckdb.execute("SELECT count(*) FROM read_parquet(?)", [parquet]).fetchall() == [(20,)]


def test_one_visitor_is_erased_and_the_ledger_says_so(command: Command) -> None:
    command("site", "add", "example.com")
    command("import", "access-log", "-", "--site", "example.com", stdin=access_log(30))
    rows = [
        json.loads(line) for line in command("export", "--site", "example.com").out.splitlines()
    ]
    visitor = str(rows[0]["visitor"])
    erased = command("erase", "--site", "example.com", "--visitor", visitor, "--yes", "--json").json
    assert erased["rows"] == sum(str(row["visitor"]) == visitor for row in rows)
    left = command("export", "--site", "example.com").out
    assert visitor not in left
    assert command("audit", "--json").json["balanced"] is True


def test_a_backup_restores_into_a_folder_that_answers_the_same(
    command: Command, tmp_path: Path
) -> None:
    command("site", "add", "example.com")
    command("import", "access-log", "-", "--site", "example.com", stdin=access_log(30))
    file, elsewhere = tmp_path / "all.tar", tmp_path / "restored"
    assert command("backup", file).code == 0
    refused = command("restore", file)
    assert refused.code == 2
    assert "into a new" in refused.err
    assert called("restore", file, "--data", elsewhere).code == 0
    export = ("export", "--site", "example.com")
    theirs = sorted(called(*export, "--data", elsewhere).out.splitlines())
    assert theirs == sorted(command(*export).out.splitlines())
    assert called("audit", "--json", "--data", elsewhere).json["balanced"] is True


def test_a_doctor_shows_what_is_in_force_and_from_where(command: Command) -> None:
    command("site", "add", "example.com")
    found = json.loads(command("doctor", "--json").out)
    settings = {each["name"]: each for each in found["settings"]}
    assert settings["data"]["origin"] == "flag --data"
    assert settings["serve.port"] == {"name": "serve.port", "value": "8000", "origin": "default"}
    checks = {check["name"]: check for check in found["checks"]}
    assert checks["contents"]["ok"], checks
    assert checks["contents"]["detail"].startswith("1 site, 0 people, 0 keys")
    assert re.match(
        r"the countries .*, made on \d{4}-\d\d-\d\d, \d+ days ago;", checks["places"]["detail"]
    )


def test_a_name_that_is_not_there_is_one_line_and_exit_2(command: Command) -> None:
    command("site", "add", "example.com")
    for arguments in (
        ("export", "--site", "exampel.com"),
        ("key", "create", "--site", "exampel.com", "--scope", "stats:read"),
        ("import", "access-log", "-", "--site", "exampel.com"),
    ):
        outcome = command(*arguments)
        message = "analytics: exampel.com is not a site here; there are example.com\n"
        assert (outcome.code, outcome.out, outcome.err) == (2, "", message)


def test_an_interrupt_while_input_is_awaited_ends_the_command(command: Command, data: Path) -> None:
    command("site", "add", "example.com")
    importing = ("import", "access-log", "-", "--site", "example.com")
    arguments = [sys.executable, "-m", "analytics", *importing, "--data", data]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as waiting:
        assert waiting.stdin is not None
        assert waiting.stderr is not None
        # More than the pipe takes at once: when this returns, the command reads.
        waiting.stdin.write(access_log(10_000))
        waiting.stdin.flush()
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait() == 130
        assert waiting.stderr.read().strip() == b"analytics: interrupted"
    assert command("audit", "--json").json["balanced"] is True


def test_what_another_product_counted_comes_in_once_and_goes_out_whole(
    command: Command, tmp_path: Path
) -> None:
    command("site", "add", "example.com")
    text = (
        "date,visitors,pageviews,bounces,visits,visit_duration\n"
        "2023-02-09,119,304,77,134,21070\n2023-02-10,166,325,117,180,21467\n"
    )
    file = export.write(tmp_path / "plausible.zip", {"visitors": text})
    of_site = ("--site", "example.com")
    told = command("import", "plausible", file, *of_site)
    assert told.code == 0, told.err
    assert "Import 1 of example.com: 2023-02-09 to 2023-02-10, 2 daily sums" in told.out
    assert "285 visitors, as the sum of each day's" in told.out
    again = command("import", "plausible", "-", *of_site, stdin=file.read_bytes())
    assert again.out.strip() == (
        "example.com has this export already, as import 1: nothing was added."
    )
    (listed,) = command("import", "list", *of_site, "--json").json
    assert (listed["file"], listed["rows"], listed["pageviews"]) == ("plausible.zip", 2, 629)
    assert "2023-02-09 to 2023-02-10" in command("import", "list", *of_site).out
    asked = command("import", "remove", "1", *of_site)
    assert asked.code == 2
    assert "give --yes" in asked.err
    gone = command("import", "remove", "1", *of_site, "--yes")
    assert gone.out.strip() == "Import 1 of example.com is taken out, with 2 daily sums."
    assert command("import", "list", *of_site, "--json").json == []
    missing = command("import", "remove", "1", *of_site, "--yes")
    assert (missing.code, "has no import 1; it has none" in missing.err) == (2, True)


def test_an_export_that_cannot_be_read_is_named_by_file_and_line(
    command: Command, tmp_path: Path
) -> None:
    command("site", "add", "example.com")
    text = "date,visitors\n2023-02-09,many\n"
    file = export.write(tmp_path / "plausible.zip", {"visitors": text})
    failed = command("import", "plausible", file, "--site", "example.com")
    assert failed.code == 2
    assert "imported_visitors_20230209_20240123.csv, line 2: visitors: 'many'" in failed.err
