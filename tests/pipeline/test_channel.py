"""The channel rules, case by case, through the source they are asked with."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics.pipeline.source import Sources

SOURCES = Sources()


@pytest.mark.parametrize(
    ("utm", "referrer", "click", "channel"),
    [
        # source/medium/campaign        referrer           click id    channel
        ("google/cpc/Cross-Network x", "", "", "Cross-network"),
        ("amazon/cpc/", "", "", "Paid Shopping"),
        ("acme/ppc/summer-shopping", "", "", "Paid Shopping"),
        ("acme/paid/our-eshop", "", "", "Paid Shopping"),
        ("acme/paid/barbershop", "", "", "Paid Other"),
        ("acme/paid/workshoe", "", "", "Paid Other"),
        ("google/cpc/", "", "", "Paid Search"),
        ("GOOGLE/CPC/", "", "", "Paid Search"),
        ("adwords//", "", "", "Paid Search"),
        ("google-ads//", "", "", "Paid Search"),
        ("", "google.com/", "gclid", "Paid Search"),
        ("", "", "gclid", "Paid Search"),
        ("google/display/", "", "gclid", "Display"),
        ("bing/banner/", "", "msclkid", "Display"),
        ("google/email/", "", "gclid", "Paid Search"),
        ("", "bing.com/search", "msclkid", "Paid Search"),
        ("", "bing.com/search", "gclid", "Organic Search"),
        ("facebook/paid_social/", "", "", "Paid Social"),
        ("fb/cpc/", "", "", "Paid Social"),
        ("facebook_ads//", "", "", "Paid Social"),
        ("ig/retargeting/", "", "", "Paid Social"),
        ("youtube/cpv/", "", "", "Paid Video"),
        ("youtube/cpm/", "", "", "Paid Video"),
        ("yt/ppc/", "", "", "Paid Video"),
        ("tiktok/paid/", "", "", "Paid Social"),
        ("TikTok/paid_video/", "", "", "Paid Social"),
        ("shopify.com/paid/", "", "", "Paid Shopping"),
        ("shopify/cpc/", "", "", "Paid Shopping"),
        ("netflix/cpv/", "", "", "Paid Video"),
        ("ntp.msn.com/paid/", "", "", "Paid Search"),
        ("docs.google.com/paid/", "", "", "Paid Other"),
        ("acme/display/", "", "", "Display"),
        ("acme/banner/", "", "", "Display"),
        ("acme/cpm/", "", "", "Display"),
        ("acme/cpc/", "", "", "Paid Other"),
        ("/ppc/", "", "", "Paid Other"),
        ("", "amazon.de/dp/1", "", "Organic Shopping"),
        ("", "etsy.com/listing", "", "Organic Shopping"),
        ("acme/post/shop-window", "", "", "Organic Shopping"),
        ("", "l.facebook.com/", "", "Organic Social"),
        ("", "t.co/abc", "", "Organic Social"),
        ("", "bsky.app/", "", "Organic Social"),
        ("", "threads.net/@me", "", "Organic Social"),
        ("", "news.ycombinator.com/item", "", "Organic Social"),
        ("", "", "fbclid", "Organic Social"),
        ("acme/social-media/", "", "", "Organic Social"),
        ("acme/sm/", "", "", "Organic Social"),
        ("", "youtube.com/watch", "", "Organic Video"),
        ("acme/promo-video/", "", "", "Organic Video"),
        ("", "chatgpt.com/", "", "AI Assistants"),
        ("chatgpt.com//", "", "", "AI Assistants"),
        ("", "perplexity.ai/search/x", "", "AI Assistants"),
        ("", "gemini.google.com/app", "", "AI Assistants"),
        ("", "google.com/", "", "Organic Search"),
        ("", "google.com.tr/", "", "Organic Search"),
        ("", "kagi.com/", "", "Organic Search"),
        ("", "com.google.android.googlequicksearchbox/", "", "Organic Search"),
        ("acme/organic/", "", "", "Organic Search"),
        ("newsletter//", "", "", "Email"),
        ("acme/email/", "", "", "Email"),
        ("acme/e-mail/", "", "", "Email"),
        ("weekly e mail//", "", "", "Email"),
        ("", "mail.google.com/mail/u/0", "", "Email"),
        ("acme/affiliate/", "", "", "Affiliates"),
        ("acme/audio/", "", "", "Audio"),
        ("sms//", "", "", "SMS"),
        ("acme/sms/", "", "", "SMS"),
        ("acme/webpush/", "", "", "Mobile Push"),
        ("acme/mobile_app/", "", "", "Mobile Push"),
        ("firebase//", "", "", "Mobile Push"),
        ("", "blog.example.net/post", "", "Referral"),
        ("", "en.wikipedia.org/wiki/X", "", "Referral"),
        ("", "maps.google.com/", "", "Referral"),
        ("/referral/", "", "", "Referral"),
        ("acme/whatever/", "", "", "Referral"),
        ("free//", "", "", "Referral"),
        ("", "", "", "Direct"),
        ("/whatever/", "", "", "Direct"),
    ],
)
def test_channel(utm: str, referrer: str, click: str, channel: str) -> None:
    source, medium, campaign = (utm or "//").split("/")
    assert SOURCES.resolve(referrer, source, medium, campaign, click)[1] == channel


def corpus() -> list[tuple[str, str, str]]:
    """Referrers with their source and channel, decided one by one; the last column says why."""
    path = Path(__file__).parent / "corpus" / "referrers.tsv"
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines()[1:]]
    assert len(rows) >= 400
    return [(referrer, source, channel) for referrer, source, channel, _ in rows]


@pytest.mark.parametrize(("referrer", "source", "channel"), corpus())
def test_the_source_and_the_channel_of_a_referrer(referrer: str, source: str, channel: str) -> None:
    assert SOURCES.resolve(referrer, "", "", "", "") == (source, channel)
