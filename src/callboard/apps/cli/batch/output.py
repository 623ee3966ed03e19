"""Writes the output file: whole, in the order of the input, and all at once."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callboard.apps.cli.batch.entry import Entry
from callboard.apps.cli.batch.rows import rows
from callboard.apps.cli.facts import error_object, usage_object
from callboard.domain.codec import encode
from callboard.domain.run import Outcome, Run, RunStatus
from callboard.runtime import Runtime

_PAGE = 200

# JSON allows them within a text as they are, but many readers take them for ends of lines.
_SEPARATORS = [(each.encode(), f"\\u{ord(each):04x}".encode()) for each in "\x85\u2028\u2029"]


@dataclass(slots=True)
class Totals:
    """Lines by status, and what their runs cost in micro-dollars, each run counted once."""

    statuses: Counter[RunStatus] = field(default_factory=Counter)
    cost: int = 0


async def write(rt: Runtime, entries: Sequence[Entry], path: Path) -> Totals:
    """Writes a line for each entry and returns what they add up to. Raises StoreError, OSError."""
    totals = Totals()
    counted: set[str] = set()
    with replacing(path) as put:
        for start in range(0, len(entries), _PAGE):
            page = entries[start : start + _PAGE]
            run_ids = list({entry.run_id: None for entry in page if entry.run_id is not None})
            # Rows first: a run that ends in between is shown as it was, never as ended without its output.
            found = {run.id: run async for run in rows(rt, run_ids)}
            outcomes = await rt.store.runs.outcomes(rt.settings.tenant, run_ids)
            for entry in page:
                line = _line(entry, found, outcomes)
                totals.statuses[line["status"]] += 1
                put(_one_line(encode(line)))
            totals.cost += sum(run.usage.cost for run in found.values() if run.id not in counted)
            counted.update(found)
    return totals


@contextmanager
def replacing(path: Path) -> Iterator[Callable[[bytes], object]]:
    """Writes a file that takes the place of another when the block ends well; until then that one stands."""
    path = path.resolve()  # a link stays a link
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        with draft.open("wb") as file:
            yield file.write
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too, survives a crash
    finally:
        os.close(folder)


def _line(entry: Entry, found: Mapping[str, Run], outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    line: dict[str, Any] = {"key": entry.key, "run_id": entry.run_id}
    if entry.run_id is None:
        status = RunStatus.READY if entry.error is None else RunStatus.FAILED
        return line | {"status": status, "output": None, "error": error_object(entry.error), "usage": usage_object()}
    run = found[entry.run_id]
    output = outcomes[run.id].output if run.status is RunStatus.SUCCEEDED else None
    error, usage = error_object(run.error), usage_object(run.usage)
    return line | {"status": run.status, "output": output, "error": error, "usage": usage}


def _one_line(text: bytes) -> bytes:
    for separator, escaped in _SEPARATORS:
        text = text.replace(separator, escaped)
    return text + b"\n"
