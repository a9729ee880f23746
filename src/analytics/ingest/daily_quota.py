"""How many events a site has taken today, where its owner limits them."""

from __future__ import annotations

from analytics.site import Site
from analytics.units import DAY_MS


class DailyQuota:
    """Counts the events of sites with a limit, by UTC day and in this process."""

    def __init__(self) -> None:
        self._day = 0
        self._counts: dict[str, int] = {}
        """By domain: sites that exist and have a limit."""

    def takes(self, site: Site, now: int) -> bool:
        """Count one more event of *site*; return False if it is one too many for today."""
        most = site.events_per_day
        if most is None:
            return True
        day = now // DAY_MS
        if day != self._day:
            self._day = day
            self._counts.clear()
        count = self._counts.get(site.domain, 0)
        if count >= most:
            return False
        self._counts[site.domain] = count + 1
        return True
