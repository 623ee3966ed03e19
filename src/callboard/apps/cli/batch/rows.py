"""Reads the rows of many runs."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from callboard.domain.run import Run
from callboard.runtime import Runtime

_PAGE = 200


async def rows(rt: Runtime, run_ids: Sequence[str]) -> AsyncIterator[Run]:
    """The rows of these runs, in this order; a page of them is in memory at a time."""
    tenant, get = rt.settings.tenant, rt.store.runs.get
    for start in range(0, len(run_ids), _PAGE):
        for run in await asyncio.gather(*(get(tenant, run_id) for run_id in run_ids[start : start + _PAGE])):
            yield run
