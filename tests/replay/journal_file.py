"""Journals as files: a line for the run, then a line for each event, as JSON that people can read."""

from pathlib import Path

import msgspec

from callboard.domain.event import Event, EventKind
from callboard.domain.run import Run

FOLDER = Path(__file__).parent / "journals"


class KeptRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a run's row adds to its journal."""

    id: str
    flow: str
    version: str
    status: str


class KeptEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event. The kind is the number that is stored, `said` its name for readers; `body` is kept byte for byte."""

    seq: int
    kind: int
    said: str
    path: str
    digest: str
    at: int
    took: int
    body: msgspec.Raw = msgspec.Raw(b"")


def write(path: Path, run: Run, events: list[Event]) -> None:
    """Writes a run that has ended."""
    first = KeptRun(id=run.id, flow=run.flow, version=run.version, status=run.status)
    lines = [msgspec.json.encode(line) for line in (first, *map(_kept, events))]
    path.write_bytes(b"\n".join(lines) + b"\n")


def read(path: Path) -> tuple[KeptRun, list[Event]]:
    """What was written."""
    first, *lines = path.read_bytes().splitlines()
    kept = [msgspec.json.decode(line, type=KeptEvent) for line in lines]
    return msgspec.json.decode(first, type=KeptRun), [_event(event) for event in kept]


def _kept(event: Event) -> KeptEvent:
    # No JSON value is empty: a body that is empty stands as an empty text.
    body = msgspec.Raw(event.body or b'""')
    return KeptEvent(
        seq=event.seq, kind=event.kind, said=event.kind.label, path=event.path, digest=event.digest.hex(),
        at=event.at, took=event.took, body=body,
    )  # fmt: skip


def _event(kept: KeptEvent) -> Event:
    body = bytes(kept.body)
    return Event(
        kept.seq, EventKind(kept.kind), kept.path, bytes.fromhex(kept.digest), kept.at, kept.took,
        b"" if body == b'""' else body,
    )  # fmt: skip
