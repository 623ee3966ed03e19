"""Many starts at once: each stands for itself."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from callboard.apps.entrance.disclosure import disclosed
from callboard.apps.entrance.problems import INTERNAL, STATUSES, fields_of
from callboard.apps.gateway.starting import Start
from callboard.apps.gateway.views import BatchItem, BatchView
from callboard.domain.errors import CallboardError, InputInvalid
from callboard.runtime import Desk

_AT_ONCE = 128  # enough for the store to commit them together
_log = logging.getLogger("callboard.gateway")


async def start_all(desk: Desk, wanted: Sequence[Any], trace: str | None) -> BatchView:
    """Starts all of them, and says what came of each."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Any) -> BatchItem:
        async with room:
            return await _start(desk, each, trace)

    items = await asyncio.gather(*(one(each) for each in wanted))
    started = sum(item.id is not None for item in items)
    return BatchView(items=items, started=started, refused=len(items) - started)


async def _start(desk: Desk, wanted: Any, trace: str | None) -> BatchItem:
    try:
        start = Start.model_validate(wanted)
        handle = await desk.runs.start(start.flow, start.input, trace=trace, **start.options())
    except ValidationError as error:
        first = fields_of(error.errors())[0]
        return BatchItem(status=422, code=InputInvalid.code, detail=f"{first['field']}: {first['message']}")
    except CallboardError as found:
        told = disclosed(found)
        said = "; ".join(part for part in (told.what, told.why) if part)
        return BatchItem(status=STATUSES.get(told.code, 500), code=told.code, detail=said, remedy=told.remedy)
    except Exception:
        _log.exception("a start in a batch failed")
        return BatchItem(status=500, code=INTERNAL, detail="something went wrong here")
    return BatchItem(status=201 if handle.created else 200, id=handle.id, created=handle.created)
