"""The table of machines."""

from __future__ import annotations

import pytest

from analytics import machines
from analytics.machines import Purpose


def test_every_machine_is_found_by_what_it_says() -> None:
    for machine in machines.all_known().values():
        if machine.name == "PingdomBot":
            continue  # says Pingdom.com_bot
        found = machines.named_in(f"{machine.name}/1.0")
        assert found is not None
        assert found[0] == machine
        assert found[1] == "/1.0"


def test_a_tool_is_named_only_where_it_speaks_for_itself() -> None:
    assert machines.named_in("SomethingElse/1.0 (curl/8.5)") is None
    assert machines.named_in("NotGPTBot/1.0") is None
    assert machines.named_in("GPTBotnet/1.0") is None


def test_what_is_not_in_the_table_is_unknown() -> None:
    assert machines.operator_of("SomethingElse") == "Unknown"
    assert machines.purpose_of("SomethingElse") is Purpose.OTHER
    assert machines.name_of("") == "Unnamed"


def test_an_impostor_is_nobodys() -> None:
    impostor = "Googlebot" + machines.UNVERIFIED_SUFFIX
    assert machines.operator_of(impostor) == machines.purpose_of(impostor) == "Unverified"


@pytest.mark.parametrize(
    ("file", "some", "none"),
    [
        ("gptbot.json", "GPTBot", "ChatGPT-User"),
        ("searchbot.json", "OAI-SearchBot", "GPTBot"),
        ("chatgpt-user.json", "ChatGPT-User", "GPTBot"),
        ("openai.json", "ChatGPT-User", "ClaudeBot"),
        ("googlebot.json", "GoogleOther", "Google-Read-Aloud"),
        ("common-crawlers.json", "Googlebot", "AdsBot-Google"),
        ("special-crawlers.json", "AdsBot-Google", "Googlebot"),
        ("user-triggered-fetchers.json", "Google-Read-Aloud", "Googlebot"),
        ("user-triggered-fetchers-google.json", "Google-Read-Aloud", "AdsBot-Google"),
        ("user-triggered-agents.json", "Google-Agent", "Google-Read-Aloud"),
        ("google.json", "Googlebot", "bingbot"),
        ("bingbot.json", "bingbot", "BingPreview"),
        ("applebot.json", "Applebot", "AppleNewsBot"),
        ("perplexity-user.json", "Perplexity-User", "PerplexityBot"),
        ("mistralai-user-ips.json", "MistralAI-User", "MistralAI-Index"),
        ("ccbot.json", "CCBot", "GPTBot"),
        ("Amazonbot.json", "Amazonbot", "Amzn-User"),
    ],
)
def test_a_published_file_is_about_its_machines(file: str, some: str, none: str) -> None:
    assert some in machines.whose_ranges(file)
    assert none not in machines.whose_ranges(file)


def test_every_machine_of_a_published_file_is_in_the_table() -> None:
    names = [name for cell in machines._PUBLISHED.values() for name in cell.split("|")]
    assert set(names) <= set(machines.all_known())


@pytest.mark.parametrize("file", ["ranges.json", ".json", "unknown.json", "ips.json"])
def test_a_file_of_another_name_is_about_nobody(file: str) -> None:
    assert machines.whose_ranges(file) == frozenset()
