"""What goes wrong is said in one line, with the way out, and an exit code that scripts can use."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from tests.cli.conftest import called


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("sit", "add", "x"), "sit is not a command; did you mean site?"),
        (("site", "ad"), "Did you mean 'add'?"),
        (("site", "add", "--timezon", "Etc/UTC", "x"), "Did you mean '--timezone'?"),
        (("site", "add"), "Missing argument 'DOMAIN'"),
        (("key", "create", "--scope", "stats:read"), "give either --site SITE or --all-sites"),
        (("key", "create", "--all-sites", "--scope", "stats"), "there are stats:read, events"),
        (("user", "add", "ada@example.com"), "give --owner, or --site"),
        (("user", "add", "ada@example.com", "--owner"), "give --password-stdin"),
        (("import", "iis", "x", "--site", "y"), "'iis' is not 'access-log'"),
        (("import", "access-log", "/nowhere", "--site", "y"), "No such file"),
        (
            ("erase", "--site", "x"),
            "give one of --visitor NUMBER, --cookie VALUE, --everything, or --filter, --from, --to",
        ),
        (("erase", "--site", "x", "--cookie", "y", "--visitor", "1"), "give one of --visitor"),
        (("serve", "--port", "many"), "flag --port: serve.port: "),
        (("serve", "--modules", "ingest,dash"), "flag --modules: serve.modules: "),
        (("serve", "--config", "/nowhere.toml"), "there is no such configuration file"),
        (("audit",), "is not a data folder yet; start with"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    arguments: tuple[str, ...], hint: str, tmp_path: Path
) -> None:
    outcome = called("--data", tmp_path / "none", *arguments)
    assert outcome.code == 2
    assert hint in outcome.err
    assert outcome.err.startswith("analytics: ")
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "none").exists()


def test_a_line_of_the_configuration_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("[serve]\nport = 8000\nhost == 1\n")
    outcome = called("serve", "--config", file)
    assert outcome.code == 2
    assert f"{file}:3: this line is not TOML" in outcome.err


def test_options_of_the_folder_may_stand_before_and_after(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert called("--data", first, "site", "add", "example.com").code == 0
    assert called("site", "--data", second, "add", "example.com").code == 2
    assert called("--data", first, "site", "add", "b.example", "--data", second).code == 0
    (site,) = called("site", "list", "--json", ANALYTICS_DATA=str(second)).json
    assert site["site"] == "b.example"


def test_a_port_in_use_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        outcome = called("serve", "--port", port, "--data", tmp_path / "data")
    assert outcome.code == 2
    assert f"127.0.0.1:{port}: choose another port with --port" in outcome.err


def test_an_address_that_this_machine_lacks_is_named_with_the_way_out(tmp_path: Path) -> None:
    outcome = called("serve", "--host", "192.0.2.1", "--port", "0", "--data", tmp_path / "data")
    assert (outcome.code, outcome.out) == (2, "")
    assert "192.0.2.1:0: this machine does not have that address" in outcome.err
    assert "--host" in outcome.err


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("site", "list"), ("audit",)])
def test_a_folder_of_a_newer_version_is_refused_with_both_versions(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "folder.json").write_text('{"version": 9, "program": "9.0.0"}')
    outcome = called(*command, "--data", tmp_path)
    assert outcome.code == 2
    assert "version 9, made by analytics 9.0.0" in outcome.err
    assert "knows version 1" in outcome.err


def test_a_folder_that_another_command_holds_is_waited_for(tmp_path: Path) -> None:
    assert called("site", "add", "example.com", "--data", tmp_path / "data").code == 0
    lock = os.open(tmp_path / "data" / "lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    arguments = [sys.executable, "-m", "analytics", "site", "list", "--data", tmp_path / "data"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as waiting:
        assert waiting.poll() is None
        os.close(lock)
        out, _ = waiting.communicate()
    assert waiting.returncode == 0
    assert b"example.com" in out


def test_an_audit_that_does_not_balance_exits_with_1(tmp_path: Path) -> None:
    data = tmp_path / "data"
    called("site", "add", "example.com", "--data", data)
    line = (
        b'203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0"\n'
    )
    called("import", "access-log", "-", "--site", "example.com", "--data", data, stdin=line)
    with duckdb.connect(str(data / "store.duckdb")) as connection:
        connection.execute("DELETE FROM rows")
    outcome = called("audit", "--data", data)
    assert outcome.code == 1
    assert "FAULT  example.com" in outcome.out
    assert "NOT balanced." in outcome.out


def test_a_doctor_with_a_fault_exits_with_1_and_names_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        outcome = called("doctor", "--data", tmp_path / "data", ANALYTICS_SERVE__PORT=port)
    assert outcome.code == 1
    assert f"FAULT  server: none on this folder, and 127.0.0.1:{port} cannot be had" in outcome.out
    assert "environment ANALYTICS_SERVE__PORT" in outcome.out


def test_a_doctor_finds_a_file_of_spam_referrers_that_no_server_starts_with(tmp_path: Path) -> None:
    missing = tmp_path / "missing.txt"
    outcome = called(
        "doctor", "--data", tmp_path / "data", ANALYTICS_INGEST__SPAM_REFERRERS=str(missing)
    )
    assert outcome.code == 1
    assert f"FAULT  spam referrers: ingest.spam_referrers: {missing} cannot be read" in outcome.out


@pytest.mark.parametrize(
    ("days_ago", "words"),
    [(0, ""), (3, ""), (30, "too old for today"), (-30, "its last day is yet to come")],
)
def test_a_doctor_warns_of_exchange_rates_that_are_not_of_today(
    tmp_path: Path, days_ago: int, words: str
) -> None:
    rates = tmp_path / "rates.csv"
    day = datetime.now(UTC).date() - timedelta(days_ago)
    rates.write_text(f"Date,USD\n{day},1.1\n")
    outcome = called(
        "doctor", "--data", tmp_path / "data", ANALYTICS_STORE__EXCHANGE_RATES=str(rates)
    )
    (line,) = (line for line in outcome.out.splitlines() if " exchange rates: " in line)
    assert line.startswith("warn" if words else "ok")
    assert words in line


def test_a_doctor_tells_of_variables_that_are_not_read(tmp_path: Path) -> None:
    outcome = called("doctor", "--data", tmp_path / "data", ANALYTICS_PORT="9")
    assert "not read, and not ours to judge: ANALYTICS_PORT" in outcome.out


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    called("site", "add", "example.com", "--data", tmp_path)
    arguments = [sys.executable, "-m", "analytics", "site", "list", "--data", tmp_path]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as talking:
        assert talking.stdout is not None
        assert talking.stderr is not None
        talking.stdout.close()
        assert talking.stderr.read() == b""
    assert talking.returncode == 0


def test_nobody_else_on_the_machine_can_read_what_a_command_writes(tmp_path: Path) -> None:
    folder, export, backup = tmp_path / "data", tmp_path / "rows.ndjson", tmp_path / "all.tar"
    folder.mkdir()
    folder.chmod(0o755)
    before = os.umask(0o022)
    try:
        for arguments in (
            ("site", "add", "example.com"),
            ("export", "--site", "example.com", "--output", export),
            ("backup", backup),
            ("restore", backup, "--data", tmp_path / "restored"),
        ):
            done = called(*arguments, *(() if "--data" in arguments else ("--data", folder)))
            assert done.code == 0, done.err
    finally:
        os.umask(before)
    made = [folder, export, backup, *folder.rglob("*"), *(tmp_path / "restored").rglob("*")]
    assert len(made) > 8
    assert [path for path in made if path.stat().st_mode & 0o077] == []
