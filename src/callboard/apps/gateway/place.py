"""Where a reader of a run's stream stands: the `id` of what it saw last, to be handed in as `Last-Event-ID`."""

import re

import msgspec

from callboard.domain.errors import InputInvalid

_FORM = re.compile(r"(-1|\d{1,9})(?:\.(\d{1,9}-\d{1,9}))?(\.end)?", re.ASCII)
_BEGINNING = "0-0"  # before every chunk


class Place(msgspec.Struct, frozen=True):
    """A place in a run's stream.

    Attributes:
        seq: the last event of the journal; -1 for none.
        chunk: the id of the last live chunk, if there was one.
        end: whether the run's end was told.
    """

    seq: int = -1
    chunk: str | None = None
    end: bool = False

    def __str__(self) -> str:
        return f"{self.seq}{f'.{self.chunk}' if self.chunk else ''}{'.end' if self.end else ''}"

    @property
    def chunks_after(self) -> str | None:
        """After which chunk to go on; all that are kept for who has seen nothing; None for those still to come."""
        if self.chunk is not None:
            return self.chunk
        return _BEGINNING if self.seq < 0 else None


def read_place(text: str | None) -> Place:
    """The place that an id names; the beginning for None. Raises InputInvalid."""
    if not text:
        return Place()
    found = _FORM.fullmatch(text)
    if found is None:
        raise InputInvalid(
            f"Last-Event-ID={text[:60]!r} is no id of this stream", remedy="send the id of an event as it was given"
        )
    return Place(int(found[1]), found[2], bool(found[3]))
