"""Templates escape, and say so when a name is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from analytics.dashboard import templates

SOURCES = sorted((templates.HERE / "templates").iterdir())
SCRIPTS = sorted((templates.STATIC / "js").iterdir())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_template_switches_escaping_off_or_holds_a_script_or_a_style(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\|\s*safe|autoescape|Markup", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", text)
    assert "http://" not in text
    assert "https://" not in text.replace("Without https://", "")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_makes_html_of_text(path: Path) -> None:
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", path.read_text()
    )


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        templates.render("welcome.html")


def test_colours_are_named_in_one_place() -> None:
    for path in (templates.STATIC / "css").iterdir():
        if path.name != "tokens.css":
            colours = re.findall(r"#[0-9a-f]{3,8}\b|rgba?\(", path.read_text())
            # The logo keeps its own colours on every ground.
            assert set(colours) <= {"#fff", "#0d6b52"}, path.name


@pytest.mark.parametrize(
    ("code", "flag"), [("DE", "🇩🇪"), ("us", "🇺🇸"), ("", ""), ("DEU", ""), ("D1", ""), ("ÄÖ", "")]
)
def test_only_a_country_code_has_a_flag(code: str, flag: str) -> None:
    assert templates.flag(code) == flag


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("give at least 1 day", "Give at least 1 day."),
        ("new@shop.example has an account already", "new@shop.example has an account already."),
        ("shop.example is a site already", "shop.example is a site already."),
        ("'x' is not a date", "'x' is not a date."),
        ("Try again!", "Try again!"),
        ("", "."),
    ],
)
def test_a_message_is_a_sentence_and_an_address_stays_one(text: str, read: str) -> None:
    assert templates.sentence(text) == read
