"""A machine has the name, the operator and the purpose that its operator publishes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tests.ingest import corpus

from analytics import machines
from analytics.ingest import machine_names, user_agents
from analytics.ingest.user_agent_overrides import NamedSoftware

OPERATORS = Path(__file__).parent / "operators.tsv"
"""Agents by machine, with the address of the operator's own page, and where they were seen."""
HEADLESS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " HeadlessChrome/87.0.4280.88 YextBot/Java Safari/537.36"
)


def published() -> list[dict[str, str]]:
    with OPERATORS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("row", published(), ids=lambda row: row["user agent"][:60])
def test_an_agent_as_published_is_its_machine(row: dict[str, str]) -> None:
    agent = user_agents.parse(row["user agent"])
    assert agent.bot in ("crawler", "tool")
    assert (
        agent.browser,
        machines.operator_of(agent.browser),
        machines.purpose_of(agent.browser),
    ) == (row["name"], row["operator"], row["purpose"])


def test_a_fetcher_for_a_persons_question_is_no_crawler_of_the_same_operator() -> None:
    purposes: dict[str, set[str]] = {}
    for row in published():
        purposes.setdefault(row["operator"], set()).add(row["purpose"])
    for operator in ("OpenAI", "Anthropic", "Perplexity", "Mistral AI", "Meta", "Amazon"):
        assert {"Person's question", "Search index"} <= purposes[operator]


@pytest.mark.parametrize(
    ("agent", "name", "version"),
    [
        ("Mozilla/5.0 (compatible; Notion/1.0)", "Notion", "1.0"),
        ("Mozilla/5.0 (compatible; WebCEO Online/1.0; +http://a.example)", "WebCEO Online", "1.0"),
        ("SomeNewBot/1.5 (Java 1.8)", "SomeNewBot", "1.5"),
        (HEADLESS, "YextBot", ""),
        ("attohttpc/0.28.5", "attohttpc", "0.28"),
        ("claudebot/2", "ClaudeBot", "2"),
        ("NotGPTBot/1.0", "NotGPTBot", "1.0"),
        ("Mozilla/5.0 (compatible)", "", ""),
        ("-", "", ""),
    ],
)  # fmt: skip
def test_a_machine_that_nobody_knows_has_the_name_it_says(
    agent: str, name: str, version: str
) -> None:
    parsed = user_agents.parse(agent)
    assert (parsed.browser, parsed.browser_version) == (name, version)
    assert parsed.bot is not None


def test_a_person_keeps_the_browser() -> None:
    for each in corpus.read("people"):
        parsed = user_agents.parse(each.agent)
        if parsed.bot is None:
            assert parsed.browser not in machines.all_known() or parsed.browser in (
                "WhatsApp",
                "Instagram",
            )


def test_what_is_longest_is_named_soon() -> None:
    for text in (
        "a" * 512,
        "bot" * 170,
        "compatible; " * 42,
        "compatible; " + "a" * 500,
        "a-" * 256,
    ):
        assert len(machine_names.name(text, NamedSoftware("")).family) <= 100
