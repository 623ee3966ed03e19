"""Lines that were not started this time: what earlier commands made of them."""

from collections.abc import Iterable

from callboard.apps.cli.batch.entry import Entry, refusal
from callboard.apps.cli.batch.lines import Line
from callboard.domain.codec import digest
from callboard.domain.errors import InputInvalid, KeyConflict
from callboard.runtime import Flow, Runtime

_PAGE = 500


async def earlier(rt: Runtime, flow: Flow, lines: Iterable[Line]) -> list[Entry]:
    """Their entries: with the run of an earlier command, with what is wrong with the line, or with neither."""
    entries: list[Entry] = []
    open_lines: list[tuple[int, Line, bytes]] = []
    for line in lines:
        error = line.error or _unfit(flow, line)
        if error is None:
            open_lines.append((len(entries), Line(line.number, line.key), digest(line.value)))
        entries.append(Entry(line.key, error=None if error is None else refusal(line, error)))
    known = await _by_key(rt, flow, list({line.key: None for _, line, _ in open_lines if line.key is not None}))
    for place, line, asked in open_lines:
        if line.key is not None and (run_id := known.get(line.key)) is not None:
            entries[place] = await _recognised(rt, line, run_id, asked)
    return entries


def _unfit(flow: Flow, line: Line) -> InputInvalid | None:
    try:
        flow.take(line.value)
    except InputInvalid as error:
        return error
    return None


async def _by_key(rt: Runtime, flow: Flow, keys: list[str]) -> dict[str, str]:
    """The ids of the flow's runs with these keys."""
    found: dict[str, str] = {}
    for start in range(0, len(keys), _PAGE):
        found |= await rt.store.runs.by_key(rt.settings.tenant, flow.name, keys[start : start + _PAGE])
    return found


async def _recognised(rt: Runtime, line: Line, run_id: str, asked: bytes) -> Entry:
    first = (await rt.store.journal.read(rt.settings.tenant, run_id, limit=1))[0]
    if first.digest == asked:
        return Entry(line.key, run_id)
    conflict = KeyConflict(f"key {line.key!r} belongs to run {run_id}, which had another input")
    return Entry(line.key, error=refusal(line, conflict))
