"""People and machines: labelled user agents, and the kinds of words that may decide."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.ingest import corpus

from analytics.ingest import user_agents

KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
PHONE = "Mozilla/5.0 (Linux; Android 13; {}) " + KIT + " Chrome/120.0.0.0 Mobile Safari/537.36"
DESKTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + KIT + " {} Safari/537.36"


def test_no_person_of_the_corpus_is_a_machine() -> None:
    people = corpus.read("people")
    assert len(people) >= 600
    assert [each for each in people if user_agents.parse(each.agent).bot] == []


def test_machines_of_the_corpus_are_known_but_for_those_that_say_nothing() -> None:
    machines = corpus.read("machines")
    assert len(machines) >= 700
    missed = [each for each in machines if user_agents.parse(each.agent).bot is None]
    assert len(missed) <= 0.01 * len(machines), missed


@pytest.mark.parametrize("label", ["people", "machines"])
def test_agents_that_no_rule_was_written_for_are_told_apart(label: str) -> None:
    held_out = corpus.read(f"{label}-held-out")
    assert len(held_out) >= 200
    wrong = [
        each
        for each in held_out
        if (user_agents.parse(each.agent).bot is None) is (label == "machines")
    ]
    assert len(wrong) <= 0.035 * len(held_out), wrong


@pytest.mark.parametrize(
    "word",
    ["bot", "crawler", "spider", "monitor", "scan", "curl", "CUBOT", "Butterfly", "Viber", "feed"],
)
@pytest.mark.parametrize("model", ["{} 7", "{}_X5 Build/AP3A.240617.008", "Acme {} (2024)", "X-{}"])
def test_a_word_in_a_phones_name_decides_nothing(word: str, model: str) -> None:
    name = model.format(word)
    assert user_agents.parse(PHONE.format(name)).bot is None
    assert user_agents.parse(f"Dalvik/2.1.0 (Linux; U; Android 13; {name})").bot is None
    assert user_agents.parse(PHONE.format(f"{name}; wv") + " Acme/7.1").bot is None


@pytest.mark.parametrize(
    "name",
    ["Acmebot/1.0", "acme-crawler/2", "AcmeSpider", "(compatible; Acme/1.0)", "+http://a.b/"],
)
def test_a_name_beside_the_phones_does(name: str) -> None:
    assert user_agents.parse(f"{PHONE.format('Nexus 5X Build/MMB29P')} {name}").bot == "crawler"


@pytest.mark.parametrize("app", ["Slack/4.43", "Notion/4.1", "WhatsApp/2.24", "acme-feeds/1.0", ""])
def test_a_shell_of_electron_is_a_persons(app: str) -> None:
    text = DESKTOP.format(f"{app} Chrome/126.0.6478.36 Electron/31.4.0")
    assert user_agents.parse(text).bot is None


@pytest.mark.parametrize(
    "program", ["acme-probe/1.0", "AcmeHealth", "acme.example", "Acme Agent (v2)", "Mozilla/5.0"]
)
def test_what_names_no_system_is_no_browser(program: str) -> None:
    assert user_agents.parse(program).bot is not None


@pytest.mark.parametrize(
    "check",
    ["ELB-HealthChecker/2.0", "kube-probe/1.31", "GoogleHC/1.0", "Consul Health Check",
     "Acme-HealthCheck/1.0", "check_http/v2.4.0 (nagios-plugins 2.4.0)", "Prometheus/3.4.2"],
)  # fmt: skip
def test_a_health_check_is_a_tool(check: str) -> None:
    assert user_agents.parse(check).bot == "tool"


def test_the_corpus_says_where_it_is_from_and_under_which_licence() -> None:
    permissive = {"MIT", "Apache-2.0", "BSD-2-Clause", "facts"}
    for path in Path(corpus.FOLDER).glob("*.tsv"):
        header, *rows = path.read_text("utf-8").splitlines()
        assert header == "kind\tuser agent\tsource\tlicence"
        assert {row.split("\t")[3] for row in rows} <= permissive
