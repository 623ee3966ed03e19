"""Lines that were not started this time: what earlier commands made of them."""

from collections.abc import Iterable

from callboard.apps.cli.batch.entry import Entry, refused
from callboard.apps.cli.batch.lines import Line
from callboard.apps.cli.paging import pages
from callboard.domain.codec import digest
from callboard.domain.errors import InputInvalid, KeyConflict
from callboard.runtime import Flow, Runtime


async def earlier(rt: Runtime, flow: Flow, lines: Iterable[Line]) -> list[Entry]:
    """Their entries: with the run of an earlier command, with what is wrong with the line, or with neither."""
    entries: list[Entry] = []
    open_lines: list[tuple[int, Line, bytes]] = []
    for line in lines:
        error = line.error or _unfit(flow, line)
        if error is None:
            open_lines.append((len(entries), Line(line.number, line.key), digest(line.value)))
        entries.append(Entry(line.key) if error is None else refused(line, error))
    known = await _by_key(rt, flow, {line.key for _, line, _ in open_lines})
    for place, line, asked in open_lines:
        if (run_id := known.get(line.key)) is not None:
            entries[place] = await _recognised(rt, line, run_id, asked)
    return entries


def _unfit(flow: Flow, line: Line) -> InputInvalid | None:
    try:
        flow.input.load(line.value)
    except InputInvalid as error:
        return error
    return None


async def _by_key(rt: Runtime, flow: Flow, keys: set[str | None]) -> dict[str | None, str]:
    """The ids of the flow's runs with these keys; it reads no further than it must."""
    found: dict[str | None, str] = {}
    if keys:
        async for page in pages(rt, flow=flow.name):
            found |= {run.key: run.id for run in page if run.key in keys}
            if len(found) == len(keys):
                break
    return found


async def _recognised(rt: Runtime, line: Line, run_id: str, asked: bytes) -> Entry:
    first = (await rt.store.journal.read(rt.settings.tenant, run_id, limit=1))[0]
    if first.digest == asked:
        return Entry(line.key, run_id)
    return refused(line, KeyConflict(f"key {line.key!r} belongs to run {run_id}, which had another input"))
