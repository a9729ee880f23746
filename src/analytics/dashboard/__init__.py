"""The pages that people look at."""

from analytics.dashboard.context import DashboardContext
from analytics.dashboard.module import module
from analytics.dashboard.page_request import error_page
from analytics.dashboard.page_routes import routes
from analytics.dashboard.templates import warm

__all__ = ["DashboardContext", "error_page", "module", "routes", "warm"]
