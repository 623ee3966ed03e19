"""Reads the rows of many runs."""

from collections.abc import AsyncIterator, Sequence

from callboard.domain.errors import NotFound
from callboard.domain.run import Run
from callboard.runtime import Runtime

_PAGE = 200


async def rows(rt: Runtime, run_ids: Sequence[str]) -> AsyncIterator[Run]:
    """The rows of these runs, in this order; a page of them is in memory at a time. Raises NotFound."""
    for start in range(0, len(run_ids), _PAGE):
        page = run_ids[start : start + _PAGE]
        found = await rt.store.runs.rows(rt.settings.tenant, page)
        for run_id in page:
            if run_id not in found:
                raise NotFound(f"run {run_id} is gone", why="somebody purged it", remedy="repeat the command")
            yield found[run_id]
