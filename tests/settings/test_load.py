"""What is in force, where it came from, what is wrong with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from analytics.errors import Misconfigured
from analytics.settings import load
from analytics.settings.tree import every


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "analytics.toml"


def test_without_anything_given_the_defaults_hold() -> None:
    settings = load(None, {}, environment={})
    assert (settings.serve.host, settings.serve.port) == ("127.0.0.1", 8000)
    assert settings.data == Path("analytics-data")
    assert settings.origin("serve.port") == "default"


def test_flags_win_over_the_environment_over_the_file(file: Path) -> None:
    file.write_text('[serve]\nhost = "::1"\nport = 1\nmodules = ["admin"]\n')
    environment = {"ANALYTICS_SERVE__PORT": "2", "ANALYTICS_SERVE__MODULES": "ingest, admin"}
    settings = load(file, {"serve.port": 3, "serve.host": None}, environment=environment)
    assert settings.serve.port == 3
    assert settings.serve.modules == ("ingest", "admin")
    assert settings.serve.host == "::1"


def test_every_value_knows_where_it_came_from(file: Path) -> None:
    file.write_text('data = "d"\n\n[serve]\nhost = "::1"\n[store]\nthreads = 1\n')
    environment = {"ANALYTICS_STORE__THREADS": "2", "ANALYTICS_CONFIG": str(file)}
    settings = load(None, {"serve.port": 3}, environment=environment)
    assert settings.origin("data") == f"{file}:1"
    assert settings.origin("serve.host") == f"{file}:4"
    assert settings.origin("store.threads") == "environment ANALYTICS_STORE__THREADS"
    assert settings.origin("serve.port") == "flag --port"


def test_a_line_that_cannot_be_read_is_named_by_number(file: Path) -> None:
    file.write_text("[serve]\nport = 1\nhost = :: \n")
    with pytest.raises(Misconfigured, match=r"analytics\.toml:3: this line is not TOML"):
        load(file, {}, environment={})


def test_a_file_cut_short_is_named_by_its_last_line(file: Path) -> None:
    file.write_text('[serve]\nmodules = [\n"ingest",\n')
    with pytest.raises(Misconfigured, match=r"analytics\.toml:\d: this line is not TOML"):
        load(file, {}, environment={})


def test_a_wrong_value_is_named_with_its_line(file: Path) -> None:
    file.write_text('[serve]\nhost = "h"\nport = 99999\n')
    with pytest.raises(Misconfigured, match=r"analytics\.toml:3: serve\.port: .*99999"):
        load(file, {}, environment={})


def test_a_wrong_value_is_named_with_its_variable() -> None:
    with pytest.raises(Misconfigured, match=r"environment ANALYTICS_STORE__THREADS: .*'many'"):
        load(None, {}, environment={"ANALYTICS_STORE__THREADS": "many"})


def test_an_unknown_setting_names_its_nearest(file: Path) -> None:
    file.write_text("[serve]\nprot = 1\n")
    with pytest.raises(Misconfigured, match=r"toml:2: serve\.prot .* nearest is serve\.port"):
        load(file, {}, environment={})


def test_an_unknown_variable_names_its_nearest() -> None:
    with pytest.raises(Misconfigured, match=r"nearest is ANALYTICS_SERVE__PORT"):
        load(None, {}, environment={"ANALYTICS_SERVE__PROT": "1"})


def test_variables_that_orchestrators_make_up_are_left_alone() -> None:
    load(None, {}, environment={"ANALYTICS_PORT": "tcp://10.0.0.1:80"})


def test_a_section_given_as_a_value_is_explained(file: Path) -> None:
    file.write_text("serve = 8000\n")
    with pytest.raises(Misconfigured, match=r"toml:1: serve is a section; write \[serve\]"):
        load(file, {}, environment={})


def test_a_missing_file_is_said_to_be_missing(file: Path) -> None:
    with pytest.raises(Misconfigured, match="there is no such configuration file"):
        load(file, {}, environment={})


@pytest.mark.parametrize(
    ("written", "size"),
    [("64 MiB", 64 * 2**20), ("5 MB", 5_000_000), ("1000", 1000), ("1.5kb", 1500)],
)
def test_a_size_is_read_as_people_write_it(written: str, size: int) -> None:
    settings = load(None, {"journal.segment_bytes": written}, environment={})
    assert settings.journal.segment_bytes == size


def test_a_size_without_sense_says_how_one_is_written() -> None:
    with pytest.raises(Misconfigured, match="give a size such as"):
        load(None, {"journal.segment_bytes": "big"}, environment={})


def test_a_trusted_proxy_must_be_an_address_or_a_network() -> None:
    with pytest.raises(Misconfigured, match=r"ingest\.trusted_proxies"):
        load(None, {"ingest.trusted_proxies": "10.0.0.0/8,proxy.local"}, environment={})


def test_settings_cannot_be_changed() -> None:
    settings = load(None, {}, environment={})
    with pytest.raises(ValidationError, match="frozen"):
        settings.serve.port = 1  # type: ignore[misc]


def test_importing_the_settings_brings_in_no_driver() -> None:
    code = "import sys, analytics.settings; print({'duckdb', 'uvicorn'} & {*sys.modules})"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EUREKA__URLS", "https://me:hunter2hunter2@eureka.example:8761/eureka"),
        ("EUREKA__URLS", "http://hunter2hunter2@eureka.example/"),
        ("SERVE__PUBLIC_URL", "https://me:hunter2hunter2@stats.example.com"),
        ("KAFKA__BOOTSTRAP", "me:hunter2hunter2@kafka.example:9092"),
        ("CASSANDRA__ADDRESSES", "me:hunter2hunter2@cassandra.example:9042"),
        ("REGISTRY__ADDRESS", "me:hunter2hunter2@one.example:8000"),
    ],
)
def test_an_address_with_a_password_is_refused_and_not_repeated(variable: str, value: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        load(None, {}, environment={f"ANALYTICS_{variable}": value})
    assert "hunter2" not in str(refused.value)
    assert variable in str(refused.value)


def test_a_password_of_a_wrong_type_is_not_repeated(file: Path) -> None:
    for setting in every():
        if isinstance(setting.default, SecretStr):
            section, _, name = setting.name.partition(".")
            for value in ("20061987", "[20061987]", "{ deep = 20061987 }"):
                file.write_text(f"[{section}]\n{name} = {value}\n")
                with pytest.raises(Misconfigured) as refused:
                    load(file, {}, environment={})
                assert "20061987" not in str(refused.value), setting.name


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", ""),
        ("https://stats.example.com", "https://stats.example.com"),
        ("https://Stats.Example.com/", "https://stats.example.com"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_a_public_address_is_kept_in_one_spelling(given: str, kept: str) -> None:
    environment = {"ANALYTICS_SERVE__PUBLIC_URL": given}
    assert load(None, {}, environment=environment).serve.public_url == kept


@pytest.mark.parametrize(
    "given",
    ["stats.example.com", "ftp://a.example", "https://", "https://a.example/x", "https://a.example:x",
     "https://a.example?x=1", "https://[", "javascript:alert(1)"],
)  # fmt: skip
def test_what_is_no_public_address_is_refused(given: str) -> None:
    with pytest.raises(Misconfigured, match="PUBLIC_URL"):
        load(None, {}, environment={"ANALYTICS_SERVE__PUBLIC_URL": given})
