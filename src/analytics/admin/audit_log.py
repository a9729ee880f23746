"""The operation that reads the audit log."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace
from analytics.catalog.audit_log import KEPT_ENTRIES, AuditEntry
from analytics.errors import Malformed


class AskAuditLog(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`audit-log`."""

    most: int
    site: str | None = None
    """Only entries of this site, by its domain; it may have been removed."""


async def recent(
    workspace: Workspace, request: AskAuditLog, _: OperationContext
) -> Sequence[AuditEntry]:
    """Return the newest entries, the newest first."""
    if not 1 <= request.most <= KEPT_ENTRIES:
        raise Malformed("most", f"give 1 to {KEPT_ENTRIES:,}")
    site = request.site
    if site is not None and (matching := workspace.catalog.sites.get(site)) is not None:
        site = matching.domain
    return await workspace.catalog.audit_log.recent(request.most, site=site)
