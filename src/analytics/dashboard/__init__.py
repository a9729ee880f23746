"""The pages that people look at."""

from analytics.dashboard.ask import error_page
from analytics.dashboard.deps import Dashboard
from analytics.dashboard.module import module
from analytics.dashboard.pages import routes
from analytics.dashboard.templates import warm

__all__ = ["Dashboard", "error_page", "module", "routes", "warm"]
