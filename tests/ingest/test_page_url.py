"""A page's address: hosts in one spelling, paths as sent, tags of the query."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analytics.errors import Malformed
from analytics.ingest import page_url


@pytest.mark.parametrize(
    ("url", "hostname"),
    [
        ("https://example.com/", "example.com"),
        ("https://WWW.Example.COM/", "example.com"),
        ("http://example.com:8080/", "example.com"),
        ("https://user:secret@example.com/", "example.com"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("https://b%C3%BCcher.example/", "xn--bcher-kva.example"),
        ("https://１２７.0.0.1/", "127.0.0.1"),
        ("http://[::1]:8000/", "[::1]"),
        ("//example.com/", "example.com"),
        ("android-app://com.example/", "com.example"),
        ("/only/a/path", "(none)"),
        ("https:///a", "(none)"),
        ("file:///home/ada/a.html", "(none)"),
    ],
)
def test_a_host_has_one_spelling(url: str, hostname: str) -> None:
    assert page_url.parse(url).hostname == hostname


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://e.com", "/"),
        ("https://e.com/", "/"),
        ("https://e.com?a=1", "/"),
        ("https://e.com/A/b/", "/A/b/"),
        ("https://e.com/%7Ea%2Fb%20c", "/%7Ea%2Fb%20c"),
        ("https://e.com/ü/日本", "/ü/日本"),
        ("https://e.com//a/../b", "//a/../b"),
        ("https://e.com/a;v=1?q#f", "/a;v=1"),
        ("https://e.com/a\x00\nb", "/ab"),
        ("  https://e.com/a  ", "/a"),
    ],
)
def test_a_path_is_kept_as_sent(url: str, path: str) -> None:
    assert page_url.parse(url).path == path


def test_a_path_has_at_most_2000_characters() -> None:
    assert page_url.parse("https://e.com/" + "x" * 5000).path == "/" + "x" * 1999


@pytest.mark.parametrize(
    ("fragment", "path"),
    [
        ("/shop?utm_source=news&token=s3cret", "/#/shop"),
        ("!/shop?utm_source=news&token=s3cret", "/#!/shop"),
        ("/shop&token=s3cret&utm_source=news", "/#/shop"),
        ("access_token=s3cret&utm_source=news", "/"),
        ("/access_token=s3cret&utm_source=news", "/#/"),
        ("?utm_source=news&token=s3cret", "/"),
        ("utm_source=news", "/"),
        ("/a&b/c?utm_source=news", "/#/a&b/c"),
        ("section-2?utm_source=news", "/#section-2"),
        ("/shop?a=b?token=s3cret&utm_source=news", "/#/shop"),
        ("/shop#top?utm_source=news&token=s3cret", "/#/shop#top"),
        ("/signed/in#access_token=s3cret&utm_source=news", "/#/signed/in"),
        ("/signed/in/#id_token=s3cret&utm_source=news", "/#/signed/in/"),
        ("/shop;token=s3cret&utm_source=news", "/#/shop"),
        ("/shop/1;token=s3cret&utm_source=news", "/#/shop/1"),
        ("/shop/1#part?utm_source=news", "/#/shop/1#part"),
    ],
)
def test_a_query_behind_the_hash_is_read_for_its_tags_and_forgotten(
    fragment: str, path: str
) -> None:
    parts = page_url.parse(f"https://h.example/#{fragment}", hash_mode=True)
    assert (parts.path, parts.utm_source) == (path, "news")
    assert "s3cret" not in "".join(parts)


@pytest.mark.parametrize(
    ("url", "hostname", "path"),
    [
        ("https:\\\\evil.example\\x", "evil.example", "/x"),
        ("HTTP:\\\\evil.example\\x\\y?a=\\b", "evil.example", "/x/y"),
        ("https:/\\evil.example/x", "evil.example", "/x"),
        ("https:\\evil.example/x", "evil.example", "/x"),
        ("https:/evil.example/x", "evil.example", "/x"),
        ("https:evil.example/x", "evil.example", "/x"),
        ("\\\\evil.example\\x", "evil.example", "/x"),
        ("https://good.example\\@evil.example/", "good.example", "/@evil.example/"),
        ("/\\evil.example/x", "evil.example", "/x"),
        ("/a\\b", "(none)", "/a/b"),
        ("app://com.example/a\\b", "com.example", "/a/b"),
    ],
)
def test_slashes_are_what_browsers_take_for_them(url: str, hostname: str, path: str) -> None:
    parts = page_url.parse(url)
    assert (parts.hostname, parts.path) == (hostname, path)


def test_a_referrer_with_backslashes_has_a_host() -> None:
    assert page_url.referrer("https:\\\\www.other.com\\x", "a.com", "a.com") == "other.com/x"


@pytest.mark.parametrize("domain", ["https://www.Example.com/", "example.com.", "example.com:443"])
def test_a_page_begins_with_the_sites_host_however_that_is_spelt(domain: str) -> None:
    assert page_url.with_scheme("example.com/a", [domain]) == "https://example.com/a"


def test_tags_in_front_of_the_hash_come_first() -> None:
    url = "https://h.example/?utm_source=a#/x?utm_source=b&utm_medium=c&gclid=s3cret"
    parts = page_url.parse(url, hash_mode=True)
    assert (parts.path, parts.utm_source, parts.utm_medium) == ("/#/x", "a", "c")
    assert parts.click_id == "gclid"


def test_the_fragment_belongs_to_the_path_in_hash_mode_only() -> None:
    url = "https://e.com/app?x=1#/inbox?a"
    assert page_url.parse(url).path == "/app"
    assert page_url.parse(url, hash_mode=True).path == "/app#/inbox"
    assert page_url.parse("https://e.com/app#", hash_mode=True).path == "/app"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "   ",
        "\x00",
        "data:text/html,<script>",
        "DATA:text/html,x",
        "\x01da\nta:text/html,x",
        "javascript:alert(1)",
        "blob:https://e.com/1",
        "about:blank",
        "mailto:ada@example.com",
        "TEL:+4930123456",
        "view-source:https://example.com/",
        "http://ex ample.com/",
        "http://[::1/",
        "http://e.com:99999/",
        "http://%zz/",
        "http://<b>/",
    ],
)
def test_what_is_no_page_is_refused(url: str) -> None:
    with pytest.raises(Malformed) as refusal:
        page_url.parse(url)
    assert refusal.value.field == "url"


@pytest.mark.parametrize(
    ("url", "hostname", "path"),
    [
        ("file:///home/ada/Shop/a.html", "(none)", "/a.html"),
        ("FILE:///C:/Users/Ada%20L/a.html?x=1", "(none)", "/a.html"),
        ("file:///C:\\Users\\Ada\\a.html", "(none)", "/a.html"),
        ("file://adas-laptop/share/a.html", "(none)", "/a.html"),
        ("file:a.html", "(none)", "/a.html"),
        ("file:///", "(none)", "/"),
        ("file:///android_asset/www/a/index.html", "(none)", "/android_asset/www/a/index.html"),
        ("app://com.example/home", "com.example", "/home"),
        ("chrome-extension://abcdef/popup.html", "abcdef", "/popup.html"),
        ("capacitor://localhost/a", "localhost", "/a"),
    ],
)
def test_of_a_page_that_is_a_file_only_its_name_is_kept(url: str, hostname: str, path: str) -> None:
    parts = page_url.parse(url)
    assert (parts.hostname, parts.path) == (hostname, path)
    assert "Ada" not in "".join(parts)


def test_campaign_tags_are_read_whatever_their_case() -> None:
    parts = page_url.parse(
        "https://e.com/?UTM_Source=News&utm_medium=e%2Dmail&utm_campaign=a+b"
        "&utm_content=top&utm_term=%E2%82%AC"
    )
    assert parts[2:7] == ("News", "e-mail", "a b", "top", "€")


@pytest.mark.parametrize(
    ("query", "source"),
    [
        ("ref=c&source=b&utm_source=a", "a"),
        ("ref=c&source=b", "b"),
        ("ref=c", "c"),
        ("utm_source=&source=&ref=c", "c"),
        ("utm_source=a&utm_source=z", "a"),
        ("q=1", ""),
    ],
)
def test_a_source_is_the_first_of_utm_source_source_and_ref(query: str, source: str) -> None:
    assert page_url.parse(f"https://e.com/?{query}").utm_source == source


def test_a_click_id_is_known_by_its_kind_alone() -> None:
    parts = page_url.parse("https://e.com/?q=1&msclkid=secret-value")
    assert parts.click_id == "msclkid"
    assert "secret-value" not in str(parts)
    assert page_url.parse("https://e.com/?gclid=").click_id == ""
    assert page_url.parse("https://e.com/?fbclid=1&gclid=1").click_id == "gclid"


def test_the_rest_of_the_query_is_forgotten() -> None:
    parts = page_url.parse("https://e.com/a?email=ada@example.com&token=secret")
    assert "ada" not in str(parts)
    assert "secret" not in str(parts)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("https://www.google.com/search?q=x#f", "google.com/search"),
        ("https://t.co/", "t.co"),
        ("https://www.google.com./search", "google.com/search"),
        ("https://example.com./before", ""),
        ("http://Other.Example:81/a/", "other.example/a"),
        ("android-app://com.slack/", "com.slack"),
        ("http://localhost:3000/", ""),
        ("http://intranet/", ""),
        ("http://printer.local/", ""),
        ("http://router.home.arpa/", ""),
        ("ios-app://429047995/pinterest", "429047995/pinterest"),
        ("http://192.168.1.5/", ""),
        ("http://[2001:db8::1]/", ""),
        ("http://co.uk/", ""),
        ("ftp://ftp.example.org/a", ""),
        ("file:///C:/a.html", ""),
        ("chrome-extension://abcdef/a.html", ""),
        ("//other.example/b", "other.example/b"),
        ("", ""),
        ("not a url", ""),
        ("/relative", ""),
        ("https://example.com/before", ""),
        ("https://shop.example.com/", ""),
        ("https://notexample.com/", "notexample.com"),
        ("https://page.example/x", ""),
        ("https://[::1/", ""),
        ("https://\ud800/", ""),
    ],
)
def test_a_referrer_is_host_and_path_and_never_the_site_itself(sent: str, shown: str) -> None:
    assert page_url.referrer(sent, "page.example", "example.com") == shown


urls = st.one_of(
    st.text(),
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "http:", "https://", "//", "data:", "\x00", "http://www."]),
        st.text(max_size=8),
        st.sampled_from(["", "/", "?utm_source=", "#", ":80/", "@"]),
        st.text(max_size=8),
    ),
)
# JSON from elsewhere may hold lone surrogates, which are no text that could be stored.
surrogates = st.text(st.characters(exclude_categories=()), max_size=10)


@pytest.mark.parametrize(
    ("url", "path"),
    [("file:///android_asset/www/index.html", "/android_asset/www/index.html"),
     ("capacitor://localhost/home", "/home"), ("app://./index.html", "/index.html"),
     ("/a:b", "/a:b"), ("a.example:8443/p", "/8443/p")],
)  # fmt: skip
def test_a_page_of_an_app_and_a_colon_in_a_path_are_pages(url: str, path: str) -> None:
    assert page_url.parse(url).path == path


@given(st.one_of(urls, surrogates), st.booleans())
def test_any_text_is_a_page_or_malformed(url: str, hash_mode: bool) -> None:
    try:
        parts = page_url.parse(url, hash_mode=hash_mode)
    except Malformed:
        return
    assert parts.path.startswith("/")
    assert parts.hostname
    "".join(parts).encode()


@given(st.one_of(urls, surrogates))
def test_any_text_is_a_referrer_or_none(url: str) -> None:
    page_url.referrer(url, "a.example", "b.example").encode()


@given(urls, st.booleans())
def test_what_was_taken_apart_and_put_together_is_the_same_again(url: str, mode: bool) -> None:
    try:
        once = page_url.parse(url, hash_mode=mode)
    except Malformed:
        assume(False)
    assume(not once.hostname.startswith("www."))  # one is taken away, as browsers show it
    assume(once.path == once.path.rstrip())  # space before a query ends the address without one
    again = page_url.parse(f"https://{once.hostname}{once.path}", hash_mode=mode)
    assert (again.hostname, again.path) == (once.hostname, once.path)
