"""Compares a play in which processes were killed with the one that was left alone."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.crash.ledger import Entry, read
from tests.crash.stage import Report, Row, RunReport, recorded_path

_ID = re.compile(r"\b[0-9a-z]{26}\b")
_OUTCOMES = ("DONE", "FAILED", "CANCELLED", "ABANDONED")


def report_of(folder: Path) -> Report:
    """What the last process of a play saw when all runs had ended."""
    return msgspec.json.decode((folder / "report.json").read_bytes(), type=Report)


def differences(calm: Path, stormy: Path) -> Iterator[str]:
    """Everything that the killed play did otherwise than it should; nothing if all is well."""
    left, right = report_of(calm), report_of(stormy)
    if left.runs.keys() != right.runs.keys():
        yield f"runs: {sorted(left.runs)} became {sorted(right.runs)}"
    if right.open_questions:
        yield f"{right.open_questions} questions are still open"
    for name in sorted(left.runs.keys() & right.runs.keys()):
        for difference in (*_otherwise(left.runs[name], right.runs[name]), *_unsound(right.runs[name])):
            yield f"{name}: {difference}"
    yield from _ledger_differences(read(calm / "ledger"), list(read(stormy / "ledger")))
    yield from _repeated(stormy)
    yield from _dice_differences(right, list(read(stormy / "ledger")))


def _otherwise(left: RunReport, right: RunReport) -> Iterator[str]:
    """Where a run ended otherwise, or has other outcomes on record."""
    for what in ("status", "error"):
        if getattr(left, what) != getattr(right, what):
            yield f"{what} {getattr(left, what)} became {getattr(right, what)}"
    if _without_dice(left.output) != _without_dice(right.output):
        yield f"output {left.output} became {right.output}"
    wanted, found = _outcomes(left), _outcomes(right)
    if left.status == right.status == "cancelled":
        # How far a run had come when it was told to stop is a matter of time: it may not even have begun to wait.
        wanted -= Counter({each: times for each, times in (wanted - found).items() if each[0] == "CANCELLED"})
    if wanted != found:
        yield f"outcomes missing {sorted((wanted - found).elements())}, added {sorted((found - wanted).elements())}"


def _unsound(run: RunReport) -> Iterator[str]:
    """What no journal may look like."""
    if [row.seq for row in run.rows] != list(range(len(run.rows))):
        yield f"seqs {[row.seq for row in run.rows]}"
    paths = Counter(row.path for row in run.rows if row.kind in _OUTCOMES)
    if doubled := [path for path, count in paths.items() if count > 1]:
        yield f"more than one outcome: {doubled}"
    if opened := {row.path for row in run.rows if row.kind == "INTENT"} - paths.keys():
        yield f"intents without an outcome: {sorted(opened)}"
    if late := [row.path for row in run.rows if row.kind in _OUTCOMES and _within(row, run.rows[row.seq :])]:
        yield f"decided before all that is within had an outcome: {late}"
    if run.usage != (charged := _charged(run.rows)):
        yield f"usage {run.usage} instead of {charged}"


def _within(outer: Row, rows: list[Row]) -> list[Row]:
    """Those of the rows that belong to branches of an effect."""
    return [row for row in rows if row.path.startswith(f"{outer.path.partition(':')[0]}.")]


def _charged(rows: list[Row]) -> tuple[int, int, int]:
    """What answers cost, and in full what was reserved for answers that never came."""
    total = [0, 0, 0]
    reserved: dict[str, list[list[int]]] = {}
    for row in rows:
        if row.kind == "INTENT" and "reserved" in row.value:
            reserved.setdefault(row.path, []).append(row.value["reserved"])
        elif row.kind == "DONE" and row.path in reserved:
            reserved[row.path][-1] = row.value["result"]["usage"]
    for usage in (usage for usages in reserved.values() for usage in usages):
        total = [a + b for a, b in zip(total, [*usage, 0, 0, 0], strict=False)]
    return total[0], total[1], total[2]


def _ledger_differences(calm: Iterator[Entry], stormy: list[Entry]) -> Iterator[str]:
    """Effects that are missing, new, or happened more than once."""
    wanted, found = {_plain(entry) for entry in calm}, {_plain(entry) for entry in stormy}
    if wanted != found:
        yield f"effects missing {sorted(wanted - found)}, added {sorted(found - wanted)}"
    keys: dict[str, set[str | None]] = {}
    times: Counter[str] = Counter()
    for entry in stormy:
        if entry.guard != "repeatable":
            keys.setdefault(entry.effect, set()).add(entry.key)
            times[entry.effect] += entry.guard == "once"
    if twice := [effect for effect, count in times.items() if count > 1]:
        yield f"once calls that happened more than once: {twice}"
    if torn := {effect: sorted(map(str, found)) for effect, found in keys.items() if len(found) > 1}:
        yield f"effects under more than one key: {torn}"
    if len(used := [key for found in keys.values() for key in found]) != len(set(used)):
        yield "two effects share a key"


def _repeated(folder: Path) -> Iterator[str]:
    """Effects that were executed although their outcome was on record when that process began."""
    for life in {entry.life for entry in read(folder / "ledger")}:
        recorded = set(msgspec.json.decode(recorded_path(folder, life).read_bytes(), type=list[str]))
        for entry in read(folder / "ledger"):
            if entry.life == life and entry.effect in recorded:
                yield f"process {life} repeated {entry.effect}, which was on record"


def _dice_differences(report: Report, ledger: list[Entry]) -> Iterator[str]:
    """Chance and the clock: what was noted outside must be what the flow has in the end."""
    noted = [entry.result[0] for entry in ledger if entry.effect.startswith("note#")]
    for run in report.runs.values():
        if isinstance(run.output, dict) and any(dice != run.output["dice"] for dice in noted):
            yield f"noted {noted}, in the end the flow had {run.output['dice']}"


def _outcomes(run: RunReport) -> Counter[tuple[str, str]]:
    # A child's id is part of the name under which its result is waited for; ids differ from play to play.
    return Counter((row.kind, _ID.sub("ID", row.path)) for row in run.rows if row.kind in _OUTCOMES)


def _without_dice(output: object) -> object:
    return {**output, "dice": None} if isinstance(output, dict) else output


def _plain(entry: Entry) -> str:
    return "note" if entry.effect.startswith("note#") else entry.effect
