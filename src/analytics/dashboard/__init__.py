"""The pages of the dashboard: reports, sites, settings, accounts and the server's own page."""

from analytics.dashboard.context import DashboardContext
from analytics.dashboard.page_request import error_page
from analytics.dashboard.page_routes import module, routes
from analytics.dashboard.templates import warm

__all__ = ["DashboardContext", "error_page", "module", "routes", "warm"]
