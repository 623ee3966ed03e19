"""Answers of real providers, as they were recorded: where they lie and what one of them holds.

They are not part of the project. They are looked for in `data/traffic` of the folder that `CALLBOARD_SHARED` names, by
default `shared` beside the project, and what needs them is skipped, aloud, where they are missing.
"""

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

FOLDER = Path(os.environ.get("CALLBOARD_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "traffic"
MISSING = f"no recorded traffic in {FOLDER}; name the folder that holds data/traffic: CALLBOARD_SHARED=..."
FAMILIES = ("anthropic_messages", "openai_chat", "openai_responses")

_IMAGE = re.compile(r"(data:image/png;base64,)[A-Za-z0-9+/=]+")
_PIXELS = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


class Record(msgspec.Struct, frozen=True):
    """One recorded interaction. Either `response_body` or `stream_text` is the answer."""

    id: str
    provider: str
    path: str
    request_body: dict[str, Any]
    status: int
    response_headers: dict[str, str]
    tags: list[str]
    response_body: Any = None
    stream_text: str | None = None

    @property
    def cassette(self) -> str:
        """The conversation that it belongs to."""
        return self.id.rsplit("#", 1)[0]

    @property
    def streamed(self) -> bool:
        """Whether the answer came as a stream of events."""
        return self.stream_text is not None

    @property
    def model(self) -> str:
        """Which model was asked."""
        return str(self.request_body["model"])

    @property
    def body(self) -> bytes:
        """The answer as it goes over the wire."""
        return msgspec.json.encode(self.response_body) if self.stream_text is None else self.stream_text.encode()


def present() -> bool:
    """Whether the records are there."""
    return all((FOLDER / f"{family}.jsonl").is_file() for family in FAMILIES)


@cache
def recorded(family: str) -> tuple[Record, ...]:
    """All records of a family, in their order."""
    return tuple(
        msgspec.json.Decoder(Record).decode_lines((FOLDER / f"{family}.jsonl").read_bytes())  # one line, one record
    )


def conversations(family: str) -> Iterator[tuple[Record, ...]]:
    """The records of each cassette that has several, in order."""
    found: dict[str, list[Record]] = {}
    for record in recorded(family):
        found.setdefault(record.cassette, []).append(record)
    for records in found.values():
        if len(records) > 1:
            yield tuple(sorted(records, key=lambda record: int(record.id.rpartition("#")[2])))


def mended(record: Record) -> Record:
    """The record with whole images in it: what looked like a key was replaced before it came here, inside them too."""
    if record.stream_text is None:
        return record
    return msgspec.structs.replace(record, stream_text=_IMAGE.sub(rf"\1{_PIXELS}", record.stream_text))


def events(text: str) -> list[str]:
    """A stream cut into its events, each with the blank line that ends it; joined they are the text again."""
    pieces = text.split("\n\n")
    whole = [piece + "\n\n" for piece in pieces[:-1]]
    return [*whole, pieces[-1]] if pieces[-1] else whole


def data(event: str) -> str:
    """The data of one event, "" if it has none."""
    return "\n".join(line[5:].lstrip(" ") for line in event.split("\n") if line.startswith("data:"))
