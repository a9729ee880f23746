"""Plausible's body is understood, or refused by the name of the member that is wrong."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.errors import Malformed
from analytics.ingest.wire import plausible
from analytics.ingest.wire.base import RawEvent


def decoded(**members: Any) -> RawEvent:
    body = {"name": "pageview", "url": "https://example.com/", "domain": "example.com", **members}
    return plausible.decode(json.dumps({k: v for k, v in body.items() if v != "-"}).encode())


def refused(**members: Any) -> Malformed:
    with pytest.raises(Malformed) as refusal:
        decoded(**members)
    return refusal.value


def test_short_names_say_what_long_ones_do() -> None:
    long = decoded(
        referrer="https://a.example/",
        props={"plan": "pro"},
        revenue={"currency": "EUR", "amount": "12.50"},
        interactive=False,
        hashMode=1,
        title="Home",
        language="DE-at",
        screen="1920x1080",
    )
    short = plausible.decode(
        json.dumps(
            {
                "n": "pageview",
                "u": "https://example.com/",
                "d": "example.com",
                "r": "https://a.example/",
                "p": {"plan": "pro"},
                "$": {"currency": "EUR", "amount": "12.50"},
                "i": False,
                "h": 1,
                "t": "Home",
                "l": "DE-at",
                "s": "1920x1080",
            }
        ).encode()
    )
    assert short == long
    assert (long.interactive, long.hash_mode, long.language) == (False, True, "de-at")


def test_the_long_name_wins_where_both_are_sent() -> None:
    both = decoded(n="b", u="https://b.example/", d="b.example", i=False, interactive=True)
    assert (both.name, both.url, both.domains) == (
        "pageview",
        "https://example.com/",
        ("example.com",),
    )
    assert both.interactive


@pytest.mark.parametrize("member", ["name", "url", "domain"])
@pytest.mark.parametrize("value", ["-", None, ""])
def test_what_is_needed_is_missed_by_name(member: str, value: str | None) -> None:
    assert refused(**{member: value}).field == member


@pytest.mark.parametrize(
    "member",
    ["name", "n", "url", "u", "domain", "d", "id", "ts", "vid", "ip", "user_agent"],
)
@pytest.mark.parametrize("value", [["x"], {"x": 1}, True])
def test_a_value_of_the_wrong_kind_is_refused_by_name(member: str, value: object) -> None:
    assert refused(**{member: value}).field == member


@pytest.mark.parametrize(
    "member",
    ["referrer", "r", "sd", "e", "title", "t", "language", "l", "screen", "s", "interactive", "i"],
)
@pytest.mark.parametrize("value", [["x"], {"x": 1}, [[]], {}])
def test_what_an_event_can_do_without_costs_no_event(member: str, value: object) -> None:
    for name in ("pageview", "engagement"):
        assert decoded(name=name, **{member: value}) == decoded(name=name)


def test_what_is_true_measures_nothing() -> None:
    ping = decoded(name="engagement", sd=True, e=True, title=5, screen=True)
    assert (ping.scroll_depth, ping.engaged_ms, ping.title, ping.screen) == (None, 0, "5", "")


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"null", b"5", b'"x"', b"[]", b"{", b"\xff\xfe", b"\xef\xbb\xbf{}", b"{}x",
        b'{"n":"a","n"', b'{"t":"\\ud800"}', b'{"t":"\xed\xa0\x80"}', b'{"t":NaN}',
        b'{"x":' + b"[" * 100_000, b'{"x":' + b'{"x":' * 100_000, b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_refused_in_words(body: bytes) -> None:
    with pytest.raises(Malformed) as refusal:
        plausible.decode(body)
    assert str(refusal.value)


def test_a_name_of_control_characters_is_none() -> None:
    assert refused(name="\x00\x01").field == "name"
    assert decoded(name="sign\x00up").name == "signup"
    assert decoded(name="engagement\x00", e=4000).engaged_ms == 4000


def test_blanks_around_a_name_mean_nothing() -> None:
    assert decoded(name=" pageview\n").name == "pageview"
    for nothing in (" ", "\t \n", "\u3000"):
        assert refused(name=nothing).field == "name"


def test_a_name_has_at_most_120_characters() -> None:
    assert decoded(name="x" * 120).name == "x" * 120
    assert refused(name="x" * 121).field == "name"


@pytest.mark.parametrize("member", ["name", "n"])
def test_a_name_may_be_a_number(member: str) -> None:
    assert decoded(**{"name": "-", member: 404}).name == "404"
    assert decoded(**{"name": "-", member: 0}).name == "0"
    for not_whole in (4.5, True):
        assert refused(**{"name": "-", member: not_whole}).field == member


@pytest.mark.parametrize(
    ("url", "completed"),
    [
        ("example.com/x", "https://example.com/x"),
        (" www.Example.com?utm_source=a", "https://www.Example.com?utm_source=a"),
        ("shop.example.com:8443/x", "https://shop.example.com:8443/x"),
        ("example.com", "https://example.com"),
        ("notexample.com/x", "notexample.com/x"),
        ("blog.html", "blog.html"),
        ("/example.com/x", "/example.com/x"),
        ("//example.com/x", "//example.com/x"),
        ("example.community/x", "example.community/x"),
    ],
)
def test_the_sites_own_host_needs_no_scheme(url: str, completed: str) -> None:
    assert decoded(url=url).url == completed
    assert decoded(url=url, domain="intranet").url == url
    assert decoded(url=url, domain="other.example,www.example.com").url == completed


def test_several_domains_are_several_sites_each_once() -> None:
    assert decoded(domain=" a.example, b.example,,a.example ").domains == ("a.example", "b.example")
    for nothing in (" ", ",", " , "):
        assert refused(domain=nothing).field == "domain"
    assert refused(domain=",".join(f"{n}.example" for n in range(21))).field == "domain"


# Properties


def test_properties_are_kept_as_text() -> None:
    props = {"text": "x", "yes": True, "no": False, "whole": 3, "part": 2.5, "zero": 0}
    assert decoded(props=props).props == {
        "text": "x",
        "yes": "true",
        "no": "false",
        "whole": "3",
        "part": "2.5",
        "zero": "0",
    }


def test_lists_objects_null_and_emptiness_are_no_properties() -> None:
    props = {"list": [1], "object": {"a": 1}, "null": None, "": "x", "empty": "", "bare": "\x00"}
    assert decoded(props={**props, "\x00": "x"}).props == {}


def test_a_blank_name_or_text_is_no_property() -> None:
    props = {"      ": "    ", "\t": "value", "key": "    ", "\u3000": 1, " good ": " yes "}
    assert decoded(props=props).props == {" good ": " yes "}


def test_the_first_thirty_properties_are_kept() -> None:
    kept = decoded(props={f"p{n}": n for n in range(40)}).props
    assert list(kept) == [f"p{n}" for n in range(30)]


def test_long_properties_are_cut() -> None:
    ((name, value),) = decoded(props={"n" * 400: "v" * 3000}).props.items()
    assert (len(name), len(value)) == (300, 2000)


@pytest.mark.parametrize("member", ["meta", "m"])
def test_the_old_meta_is_json_in_a_string(member: str) -> None:
    assert decoded(**{member: '{"a": 1, "b": "x"}'}).props == {"a": "1", "b": "x"}
    assert decoded(**{member: "no json"}).props == {}
    assert decoded(**{member: "[" * 50_000}).props == {}


def test_properties_win_over_the_old_meta() -> None:
    assert decoded(props={"a": "1"}, meta='{"a": "2"}').props == {"a": "1"}


@pytest.mark.parametrize("props", [5, ["x"], True, "5"])
def test_properties_that_are_no_object_are_left_out_and_the_event_kept(props: object) -> None:
    sent = decoded(name="signup", props=props)
    assert (sent.name, sent.props) == ("signup", {})


def test_numbers_beyond_every_measure_are_refused_and_not_our_fault() -> None:
    huge = b"9" * 5000
    for member in (b'"p":{"a":%b}', b'"$":{"amount":%b}', b'"ts":%b', b'"sd":%b', b'"e":1e%b'):
        body = b'{"n":"x","u":"https://e.com/","d":"e.com",' + member % huge + b"}"
        with pytest.raises(Malformed):
            plausible.decode(body)


# Revenue


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"currency": "EUR", "amount": 12.5}, ("12.500", "EUR")),
        ({"currency": "eur", "amount": "12.50"}, ("12.500", "EUR")),
        ({"currency": " usd ", "amount": " 12.5\n"}, ("12.500", "USD")),
        ({"currency": "USD", "amount": -3}, ("-3.000", "USD")),
        ({"currency": "USD", "amount": "0.0005"}, ("0.001", "USD")),
        ('{"currency": "USD", "amount": 1}', ("1.000", "USD")),
    ],
)
def test_revenue_is_a_decimal_with_its_currency(given: object, kept: tuple[str, str]) -> None:
    sent = decoded(revenue=given)
    assert (sent.revenue, sent.currency) == kept


@pytest.mark.parametrize(
    "senseless",
    [
        5,
        "x",
        [],
        {},
        {"currency": "EUR"},
        {"amount": 5},
        {"currency": "EURO", "amount": 5},
        {"currency": "ABC", "amount": 5},
        {"currency": "E1R", "amount": 5},
        {"currency": 978, "amount": 5},
        {"currency": "EUR", "amount": "five"},
        {"currency": "EUR", "amount": True},
        {"currency": "EUR", "amount": [5]},
        {"currency": "EUR", "amount": "NaN"},
        {"currency": "EUR", "amount": "1_000"},
        {"currency": "EUR", "amount": "1e3"},
        {"currency": "EUR", "amount": "٣"},
        {"currency": "EUR", "amount": "12,50"},
        {"currency": "EUR", "amount": "Infinity"},
        {"currency": "EUR", "amount": 1e15},
        {"currency": "EUR", "amount": "1e999999"},
        {"currency": "EUR", "amount": 10**300},
    ],
)
def test_senseless_revenue_is_left_out_and_the_event_kept(senseless: object) -> None:
    sent = decoded(name="buy", revenue=senseless)
    assert (sent.name, sent.revenue, sent.currency) == ("buy", None, "")


# Identity and time


def test_an_id_is_a_uuid_in_one_spelling() -> None:
    given = uuid.UUID("018f3e2a-0000-7000-8000-00000000000A")
    for text in (str(given), str(given).upper(), given.hex, f"{{{given}}}", given.urn):
        assert decoded(id=text).id == str(given)
    for text in ("", "no", "018f3e2a", str(given) + "0"):
        assert refused(id=text).field == "id"


@pytest.mark.parametrize("ts", [0, 1_795_478_400_000, 1_795_478_400_000.7, "1795478400000"])
def test_a_time_is_whole_milliseconds(ts: float | str) -> None:
    assert decoded(ts=ts).ts == int(ts)


@pytest.mark.parametrize("ts", [-1, 1 << 47, 1e300, 1e308, "", "noon", "9" * 5000])
def test_a_time_that_is_none_is_refused(ts: float | str) -> None:
    assert refused(ts=ts).field == "ts"


@pytest.mark.parametrize("vid", ["a", "A-z_9", "x" * 64])
def test_a_cookies_id_is_taken(vid: str) -> None:
    assert decoded(vid=vid).vid == vid


@pytest.mark.parametrize("vid", ["", "x" * 65, "a b", "ä", "a\n", "<b>"])
def test_a_cookies_id_of_other_characters_is_refused(vid: str) -> None:
    assert refused(vid=vid).field == "vid"


# Measurements


def test_only_an_engagement_measures() -> None:
    ping = decoded(name="engagement", sd=80.9, e=4000.5)
    assert (ping.scroll_depth, ping.engaged_ms) == (80, 4000)
    view = decoded(sd=80, e=4000)
    assert (view.scroll_depth, view.engaged_ms) == (None, 0)


@pytest.mark.parametrize(
    ("sd", "kept"),
    [
        (0, 0),
        (100, 100),
        (255, None),
        (-1, None),
        (101, 100),
        (254.5, 100),
        (444, 100),
        (1e300, 100),
    ],
)
def test_a_depth_is_a_percentage_or_no_reading(sd: float, kept: int | None) -> None:
    assert decoded(name="engagement", sd=sd).scroll_depth == kept


@pytest.mark.parametrize(
    ("e", "kept"), [(1, 1), (86_400_000, 86_400_000), (86_400_001, 0), (-5, 0)]
)
def test_attention_lasts_a_day_at_most(e: int, kept: int) -> None:
    assert decoded(name="engagement", e=e).engaged_ms == kept


@pytest.mark.parametrize(
    ("sd", "e", "kept"),
    [
        ("1", "789", (1, 789)),
        ("80.9", "4000.5", (80, 4000)),
        ("-1", "-5", (None, 0)),
        ("444", "1", (100, 1)),
        ("255", "1", (None, 1)),
        ("", "", (None, 0)),
        ("deep", "long", (None, 0)),
        ("²", "1e5", (None, 0)),
        ("9" * 5000, "9" * 5000, (None, 0)),
    ],
)
def test_a_measurement_may_be_text_and_one_that_is_none_costs_no_event(
    sd: str, e: str, kept: tuple[int | None, int]
) -> None:
    ping = decoded(name="engagement", sd=sd, e=e)
    assert (ping.scroll_depth, ping.engaged_ms) == kept


def test_what_is_no_interaction_may_say_so_in_text() -> None:
    for text, interactive in (("false", False), ("0", False), ("true", True), ("", True)):
        assert decoded(name="signup", interactive=text).interactive is interactive
        assert decoded(name="signup", i=text).interactive is interactive


def test_title_language_and_screen_are_cleaned() -> None:
    sent = decoded(title="a\x00b\n" + "x" * 600, language="EN-" + "x" * 50, screen="1920x1080; --")
    assert sent.title == "ab" + "x" * 498
    assert sent.language == "en-" + "x" * 32
    assert sent.screen == ""


@given(
    st.dictionaries(
        st.sampled_from(plausible.EventBody.__struct_encode_fields__),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
            ),
            max_leaves=4,
        ),
    )
)
def test_any_members_are_understood_or_refused(members: dict[str, object]) -> None:
    try:
        sent = decoded(**members)
    except Malformed:
        return
    assert sent.name
    assert sent.domains
    assert all(sent.props)
    assert all(sent.props.values())


@given(st.binary(max_size=60))
def test_any_bytes_are_understood_or_refused(body: bytes) -> None:
    with suppress(Malformed):
        plausible.decode(body)


@pytest.mark.parametrize(
    "text",
    ["C", "C.UTF-8", "x", "*", "0", "POSIX", "und", "undefined", "null", "root", "i-default"],
)
def test_what_is_no_language_is_left_out(text: str) -> None:
    assert decoded(language=text).language == ""


@pytest.mark.parametrize(
    ("escaped", "title"),
    [
        (rb"cut \ud83d", "cut "),
        (rb"\uDE00 cut", " cut"),
        (rb"a\ud83db", "ab"),
        (rb"\ud83d\ud83d\ude00", "\U0001f600"),
        (rb"\ud83d\ude00", "\U0001f600"),
        (rb"\\\\ud83d", r"\\ud83d"),
        (rb"\\\\\ud83d", "\\\\"),
    ],
)
def test_half_an_emoji_costs_no_event(escaped: bytes, title: str) -> None:
    body = rb'{"n":"pageview","u":"https://a.example/","d":"a.example","t":"%b"}' % escaped
    assert plausible.decode(body).title.replace("\ufffd", "") == title


@pytest.mark.parametrize("member", ["props", "p", "meta", "m"])
@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://a.example/f.pdf?X-Signature=s3cr3t#page=2", "https://a.example/f.pdf"),
        ("https://ada:s3cr3t@a.example:8443/x/?", "https://a.example:8443/x/"),
        ("https://a.example?s3cr3t", "https://a.example"),
        ("HTTPS://a.example/#s3cr3t", "HTTPS://a.example/"),
        ("//a.example/x?s3cr3t", "//a.example/x"),
        ("/files/report.pdf?token=s3cr3t", "/files/report.pdf"),
        ("https://a.example/@ada/x", "https://a.example/@ada/x"),
        (" https://ada:s3cr3t@a.example/x", "https://a.example/x"),
        ("https:ada:s3cr3t@a.example/x", "https:a.example/x"),
        ("https:\\\\ada:s3cr3t@a.example\\x?y", "https:\\\\a.example\\x"),
        ("mailto:ada@a.example?subject=s3cr3t", "mailto:ada@a.example"),
        ("not an address", "not an address"),
    ],
)
@pytest.mark.parametrize(
    "name", ["Outbound Link: Click", "File Download", "file_download", "Outbound  link:click"]
)
def test_a_link_is_kept_without_what_may_be_a_secret_of_others(
    name: str, address: str, kept: str, member: str
) -> None:
    assert decoded(name=name, **{member: {"url": address}}).props == {"url": kept}
    own = decoded(name="Partner", **{member: {"url": address}})
    assert own.props == {"url": address}, "what is not a tracker's own event is the site's"


@pytest.mark.parametrize("member", ["q", "linkQuery"])
@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://a.example/f.pdf?lang=de&v=2#page=2", "https://a.example/f.pdf?lang=de&v=2"),
        ("https://ada:s3cr3t@a.example:8443/x/?a=1", "https://a.example:8443/x/?a=1"),
        ("https://a.example/#s3cr3t?a=1", "https://a.example/"),
        ("/files/report.pdf?lang=de", "/files/report.pdf?lang=de"),
    ],
)
def test_a_tag_that_asks_for_it_keeps_the_query_of_links(
    address: str, kept: str, member: str
) -> None:
    for name in ("Outbound Link: Click", "File Download"):
        body = {"name": name, "p": {"url": address}}
        assert decoded(**body, **{member: True}).props == {"url": kept}
        bare = {"url": kept.partition("?")[0]}
        assert decoded(**body).props == decoded(**body, **{member: False}).props == bare
