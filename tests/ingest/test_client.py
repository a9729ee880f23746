"""Who sends: X-Forwarded-For is believed of trusted peers, and of nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.errors import Misconfigured
from analytics.ingest.addresses import parse_address
from analytics.ingest.client import Client, TrustedProxies
from analytics.ingest.forwarding import ADDED_BY_PROXIES


def client(
    *headers: tuple[str, str],
    peer: str | None = "10.0.0.1",
    proxies: tuple[str, ...] = (),
    address_headers: tuple[str, ...] = (),
) -> Client:
    scope = {
        "client": None if peer is None else (peer, 1),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    }
    return TrustedProxies(proxies, address_headers).client(scope)


def address(*chain: str, peer: str = "10.0.0.1") -> str:
    headers = [("x-forwarded-for", part) for part in chain]
    return client(*headers, peer=peer, proxies=("10.0.0.0/8", "fd00::/8")).address


def test_a_stranger_speaks_for_nobody() -> None:
    assert address("203.0.113.9", peer="198.51.100.7") == "198.51.100.7"


@pytest.mark.parametrize(
    ("chain", "believed"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, 10.0.0.7"], "203.0.113.9"),
        (["203.0.113.9", "10.0.0.7"], "203.0.113.9"),
        (["6.6.6.6, 203.0.113.9, 10.0.0.7, 10.0.0.8"], "203.0.113.9"),
        (["10.0.0.9, 10.0.0.7"], "10.0.0.9"),
        (["203.0.113.9:4711"], "203.0.113.9"),
        (["2001:db8::1"], "2001:db8::1"),
        (["[2001:DB8:0::1]:443, fd00::2"], "2001:db8::1"),
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["unknown"], "10.0.0.1"),
        ([""], "10.0.0.1"),
        ([",,,"], "10.0.0.1"),
        (["203.0.113.9, nonsense"], "10.0.0.1"),
        (["127.0.0.1, unknown"], "10.0.0.1"),
        (["127.0.0.1, 8.8.8.8x"], "10.0.0.1"),
        (["127.0.0.1, , 10.0.0.7"], "10.0.0.7"),
        (["127.0.0.1,", "203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9" + ", 10.0.0.7" * 31], "203.0.113.9"),
        (["203.0.113.9" + ", 10.0.0.7" * 32], "10.0.0.7"),
        (["<script>, ' OR 1=1"], "10.0.0.1"),
    ],
)
def test_the_nearest_address_that_is_no_proxys_is_the_senders(
    chain: list[str], believed: str
) -> None:
    assert address(*chain) == believed


@pytest.mark.parametrize(
    ("header", "believed"),
    [
        ("for=203.0.113.9", "203.0.113.9"),
        ("For=203.0.113.9:4711;proto=https;by=10.0.0.1", "203.0.113.9"),
        ('by=10.0.0.1;for="203.0.113.9:4711"', "203.0.113.9"),
        ('for="[2001:DB8::1]:443"', "2001:db8::1"),
        ('for="[2001:db8::1]"', "2001:db8::1"),
        ("for=6.6.6.6, for=203.0.113.9, for=10.0.0.7", "203.0.113.9"),
        ("for=203.0.113.9,for=10.0.0.7", "203.0.113.9"),
        # What the visitor sent is quoted by an honest proxy.
        ('host="x;for=6.6.6.6";for=203.0.113.9', "203.0.113.9"),
        ('host="x, for=6.6.6.6";for=203.0.113.9', "203.0.113.9"),
        ('for=203.0.113.9;host="\\", for=6.6.6.6"', "203.0.113.9"),
        ("for=6.6.6.6;for=203.0.113.9", "10.0.0.1"),
        ("for=6.6.6.6, proto=https", "10.0.0.1"),
        ("for=6.6.6.6, for=unknown", "10.0.0.1"),
        ("for=6.6.6.6, for=_hidden", "10.0.0.1"),
        ('for=6.6.6.6, "', "10.0.0.1"),
        ("for=6.6.6.6, nonsense", "10.0.0.1"),
        ("203.0.113.9", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("for=203.0.113.9" + ", for=10.0.0.7" * 31, "203.0.113.9"),
        ("for=203.0.113.9" + ", for=10.0.0.7" * 32, "10.0.0.7"),
    ],
)
def test_forwarded_is_read_where_x_forwarded_for_is_missing(header: str, believed: str) -> None:
    proxies = ("10.0.0.0/8",)
    assert client(("forwarded", header), proxies=proxies).address == believed
    assert client(("forwarded", header), proxies=()).address == "10.0.0.1"
    both = [("forwarded", header), ("x-forwarded-for", "203.0.113.5")]
    assert client(*both, proxies=proxies).address == "203.0.113.5"


def test_forwarded_of_several_lines_is_one_list() -> None:
    lines = [("forwarded", "for=6.6.6.6"), ("forwarded", "for=203.0.113.9")]
    assert client(*lines, proxies=("10.0.0.0/8",)).address == "203.0.113.9"


@pytest.mark.parametrize("name", ["CF-Connecting-IP", "X-Plausible-IP", "B-Forwarded-For"])
def test_a_header_that_the_operator_names_says_who_the_visitor_is(name: str) -> None:
    sent = [("x-forwarded-for", "203.0.113.5"), (name.lower(), "203.0.113.9")]
    proxies = ("10.0.0.0/8",)
    assert client(*sent, proxies=proxies, address_headers=(name,)).address == "203.0.113.9"
    assert client(*sent, peer="198.51.100.7", proxies=proxies, address_headers=(name,)).address == (
        "198.51.100.7"
    )
    # A visitor can send it through any proxy that does not know it.
    assert client(*sent, proxies=proxies).address == "203.0.113.5"
    assert client(sent[1], proxies=proxies).address == "10.0.0.1"


def test_the_first_header_that_the_operator_names_wins_and_one_without_an_address_is_none() -> None:
    named, proxies = ("X-Plausible-IP", "CF-Connecting-IP"), ("10.0.0.0/8",)
    cloudflare, other = ("cf-connecting-ip", "2001:db8::1"), ("x-plausible-ip", "203.0.113.9:80")
    chain = ("x-forwarded-for", "203.0.113.5")

    def seen(*headers: tuple[str, str]) -> str:
        return client(*headers, proxies=proxies, address_headers=named).address

    assert seen(cloudflare, other, chain) == "203.0.113.9"
    assert seen(cloudflare, chain) == "2001:db8::1"
    assert seen(("x-plausible-ip", "unknown"), cloudflare, chain) == "2001:db8::1"
    assert seen(("x-plausible-ip", ""), chain) == "203.0.113.5"
    assert seen() == "10.0.0.1"


def test_a_trusted_peer_may_come_in_ipv4_clothes_of_ipv6() -> None:
    assert address("203.0.113.9", peer="::ffff:10.0.0.1") == "203.0.113.9"


def test_a_sender_has_one_address_on_a_socket_of_either_family() -> None:
    assert address(peer="::ffff:203.0.113.9") == "203.0.113.9"


def test_who_comes_by_a_unix_socket_is_on_this_machine() -> None:
    assert client(peer=None).address == "127.0.0.1"
    assert client(peer="").address == "127.0.0.1"


def test_only_who_speaks_for_itself_is_this_machine() -> None:
    proxies = ("127.0.0.0/8", "::1")
    for peer in ("127.0.0.1", "::1", "::ffff:127.0.0.1", None):
        assert client(peer=peer, proxies=proxies).here
        for name in ("x-forwarded-for", *ADDED_BY_PROXIES):
            for value in ("127.0.0.1", "", "nonsense", "127.0.0.1, unknown"):
                assert not client((name, value), peer=peer, proxies=proxies).here
    assert not client(peer="203.0.113.9").here


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", None])
def test_who_asks_for_a_public_name_is_not_this_machine(peer: str | None) -> None:
    """A plain proxy that adds no header still passes on the name that its visitor asked for."""
    for host in ("stats.example.org", "STATS.example.org:8443", "8.8.8.8", "[2606:4700::1]:80"):
        assert not client(("host", host), peer=peer).here
    for host in ("localhost", "127.0.0.1:8000", "[::1]:8000", "stats", "stats.lan", ""):
        assert client(("host", host), peer=peer).here


def test_long_headers_are_cut_before_anything_is_made_of_them() -> None:
    long = "x" * 60_000
    read = client(("user-agent", long), ("authorization", long), ("accept-language", long))
    assert (len(read.user_agent), len(read.authorization)) == (512, 1024)
    assert len(read.language) <= 64


def test_whether_a_peer_is_believed_can_be_asked() -> None:
    trust = TrustedProxies(["10.0.0.1"])
    assert trust.contains("10.0.0.1")
    assert not trust.contains("10.0.0.2")
    assert not trust.contains("localhost")


def test_a_wrong_network_is_named() -> None:
    with pytest.raises(Misconfigured, match=r"trusted_proxies.*nonsense"):
        TrustedProxies(["nonsense"])


@pytest.mark.parametrize(
    ("name", "value", "opted_out"),
    [("dnt", "1", True), ("sec-gpc", "1", True), ("dnt", "0", False), ("sec-gpc", "?1", False)],
)
def test_a_wish_not_to_be_counted_is_read(name: str, value: str, opted_out: bool) -> None:
    assert client((name, value)).opted_out is opted_out


def test_one_wish_is_enough() -> None:
    assert client(("dnt", "1"), ("sec-gpc", "0")).opted_out
    assert client(("dnt", "0"), ("sec-gpc", "1")).opted_out


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de-at"),
        ("fr;q=1", "fr"),
        ("", ""),
        (",", ""),
        (" DE ;q=0.1, en", "de"),
        ("en-" + "x" * 90, "en-" + "x" * 32),
        ("x" * 90, ""),
        ("*", ""),
        ("C", ""),
        ("en_US.UTF-8", ""),
        ("en_US", "en_us"),
        ("de_DE@euro", ""),
        ("undefined", ""),
        ("en\x9b31m", ""),
        ("\x9b31m", ""),
        ("<script>", ""),
    ],
)
def test_the_first_language_is_the_visitors(header: str, language: str) -> None:
    assert client(("accept-language", header)).language == language


def test_the_agent_and_the_key_are_as_sent() -> None:
    read = client(("user-agent", "Ünusual/1"), ("authorization", "Bearer x"))
    assert (read.user_agent, read.authorization) == ("Ünusual/1", "Bearer x")


@given(st.text(st.characters(max_codepoint=255)))
def test_any_chain_gives_an_address(chain: str) -> None:
    assert parse_address(address(chain)) == address(chain)
