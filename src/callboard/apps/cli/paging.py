"""Reads long lists of runs page by page, so that no list is ever whole in memory."""

from collections.abc import AsyncIterator
from typing import Any

from callboard.domain.run import Run
from callboard.runtime import Runtime

_PAGE = 500


async def pages(rt: Runtime, limit: int | None = None, **filters: Any) -> AsyncIterator[list[Run]]:
    """Runs that fit the filters of `Runs.find`, newest first, `limit` of them at most. A run that changes
    meanwhile is neither skipped nor seen twice."""
    before: str | None = None
    while limit is None or limit > 0:
        wanted = _PAGE if limit is None else min(limit, _PAGE)
        page = await rt.store.runs.find(rt.settings.tenant, before=before, limit=wanted, **filters)
        if page:
            yield page
        if len(page) < wanted:
            return
        before = page[-1].id
        limit = None if limit is None else limit - wanted
