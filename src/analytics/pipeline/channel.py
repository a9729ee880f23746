"""The channel rules: an ordered list of which the first that holds names the channel.

They are those of GA4 in the order that Plausible published, with two decisions: medium "organic"
is Organic Search, as in GA4, and assistants have a channel of their own. All text is lower case.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final


class Category(StrEnum):
    """The category of a source."""

    AI = "ai"
    EMAIL = "email"
    SEARCH = "search"
    SHOPPING = "shopping"
    SOCIAL = "social"
    VIDEO = "video"


class Channel(StrEnum):
    """A kind of traffic, in the order of the rules."""

    CROSS_NETWORK = "Cross-network"
    PAID_SHOPPING = "Paid Shopping"
    PAID_SEARCH = "Paid Search"
    PAID_SOCIAL = "Paid Social"
    PAID_VIDEO = "Paid Video"
    DISPLAY = "Display"
    PAID_OTHER = "Paid Other"
    ORGANIC_SHOPPING = "Organic Shopping"
    ORGANIC_SOCIAL = "Organic Social"
    ORGANIC_VIDEO = "Organic Video"
    AI_ASSISTANTS = "AI Assistants"
    ORGANIC_SEARCH = "Organic Search"
    EMAIL = "Email"
    AFFILIATES = "Affiliates"
    AUDIO = "Audio"
    SMS = "SMS"
    MOBILE_PUSH = "Mobile Push"
    REFERRAL = "Referral"
    DIRECT = "Direct"


_SHOPPING: Final = re.compile(r"(?:[^a-df-z]|^)shop|shopping")
_PAID: Final = re.compile(r".*cp.*|ppc|retargeting|paid.*")
_MAIL: Final = re.compile(r"e[-_ ]?mail|newsletter")
_DISPLAY: Final = frozenset({"display", "banner", "expandable", "interstitial", "cpm"})
_SOCIAL: Final = frozenset(
    {"social", "social-network", "social-media", "sm", "social network", "social media"}
)
_PAID_CLICKS: Final = {
    "gclid": "google",
    "gbraid": "google",
    "wbraid": "google",
    "msclkid": "bing",
    "yclid": "yandex",
}
"""Click ids that only an advertisement of that search engine carries."""


def channel_of(
    source: str,
    *,
    category: Category | None,
    paid: bool,
    tagged: str,
    medium: str,
    campaign: str,
    click: str,
) -> Channel:
    """The channel of *source*; *tagged* is the utm_source it was found by, if by one.

    *paid* says that the source itself stands for advertisements.
    """
    bought = _bought(source, category, paid, medium, campaign, click)
    if bought is not None:
        return bought
    if category is Category.SHOPPING or _SHOPPING.search(campaign):
        return Channel.ORGANIC_SHOPPING
    if category is Category.SOCIAL or medium in _SOCIAL:
        return Channel.ORGANIC_SOCIAL
    if category is Category.VIDEO or "video" in medium:
        return Channel.ORGANIC_VIDEO
    if category is Category.AI:
        return Channel.AI_ASSISTANTS
    if category is Category.SEARCH or medium == "organic":
        return Channel.ORGANIC_SEARCH
    return _sent(source, category, tagged, medium)


def _bought(
    source: str, category: Category | None, paid: bool, medium: str, campaign: str, click: str
) -> Channel | None:
    if "cross-network" in campaign:
        return Channel.CROSS_NETWORK
    paid_medium = _PAID.fullmatch(medium) is not None
    if paid_medium and (category is Category.SHOPPING or _SHOPPING.search(campaign)):
        return Channel.PAID_SHOPPING
    if category is Category.SEARCH and (paid_medium or paid):
        return Channel.PAID_SEARCH
    # Banners of an advertiser carry the same click id as its results.
    if source and _PAID_CLICKS.get(click) == source and medium not in _DISPLAY:
        return Channel.PAID_SEARCH
    if category is Category.SOCIAL and (paid_medium or paid):
        return Channel.PAID_SOCIAL
    if category is Category.VIDEO and (paid_medium or paid):
        return Channel.PAID_VIDEO
    if medium in _DISPLAY:
        return Channel.DISPLAY
    return Channel.PAID_OTHER if paid_medium else None


def _sent(source: str, category: Category | None, tagged: str, medium: str) -> Channel:
    if category is Category.EMAIL or _MAIL.search(tagged or source) or _MAIL.search(medium):
        return Channel.EMAIL
    if medium == "affiliate":
        return Channel.AFFILIATES
    if medium == "audio":
        return Channel.AUDIO
    if medium == "sms" or source == "sms":
        return Channel.SMS
    if medium.endswith("push") or "mobile" in medium or "notification" in medium:
        return Channel.MOBILE_PUSH
    if source == "firebase":
        return Channel.MOBILE_PUSH
    if source or medium in ("referral", "app", "link"):
        return Channel.REFERRAL
    return Channel.DIRECT
