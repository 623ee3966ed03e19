"""A response's course as events with numbers, so that whoever comes back gets exactly what it has not seen.

The number of an event says where it stands: in which event of the journal, and within that, after how many characters
of the answer. Nothing is kept for readers that may come back: any process makes the same numbers from the same journal.
However the answer is cut into pieces, each character has its place.
"""

from typing import Any

import msgspec

from callboard.apps.gateway.openai.course import Answered, Asked, Called, Ended, Said, Step
from callboard.apps.gateway.openai.views import Facts, Finish, call_item, done, item_status, message_item, text_part

SPAN = 1 << 26  # numbers for each event of the journal: more than an answer can have characters
_TEXT = 1 << 20  # where within it the answer begins; calls stand before
_PIECE = 2_048  # characters of a piece, of what is known already

Event = dict[str, Any]


class _Item:
    """The answer as an item, in the numbers of one event of the journal."""

    def __init__(self, run_id: str, seq: int, index: int) -> None:
        self.id = f"msg_{run_id}_{seq}"
        self.seq = seq
        self.index = index
        self.text: list[str] | None = []  # what was told of it; None when another process told it,
        self.sent = 0  # and how much that is

    def number(self, length: int) -> int:
        """Of the piece that ends after so many characters."""
        return _at(self.seq) + _TEXT + 2 + length


class Telling:
    """Makes the events of one response for one reader.

    Args:
        facts: of the response.
        speaks: words come while they are said, for flows whose output they are.
        after: the number of the last event that the reader has seen; -1 for none.
    """

    def __init__(self, facts: Facts, *, speaks: bool, after: int = -1) -> None:
        self._facts = facts
        self._speaks = speaks
        self._after = after
        self._output: list[dict[str, Any]] = []
        self._index: dict[str, int] = {}
        self._asked = -1
        self._item: _Item | None = None
        self._told: list[Event] = []
        seen = after // SPAN - 1
        if seen >= 0 and after % SPAN > _TEXT:
            self._item = _Item(facts.run_id, seen, 0)
            self._item.text = None
            self._item.sent = max(0, after % SPAN - _TEXT - 2)

    def begin(self, status: str) -> list[Event]:
        """The first events."""
        view = self._facts.view(status, [])
        self._tell(0, "response.created", response=view)
        self._tell(1, "response.in_progress", response={**view, "status": "in_progress"})
        if self._item is not None:
            self._begin_part(self._item)
        return self._taken()

    def tell(self, step: Step) -> list[Event]:
        """The events of a step."""
        match step:
            case Called():
                self._called(step)
            case Answered():
                self._answered(step)
            case Asked(seq):
                self._asked = seq
            case Said():
                self._said(step)
            case Ended():
                self._ended(step)
        return self._taken()

    def _called(self, step: Called) -> None:
        for at, call in enumerate(step.calls):
            index = self._index[call.id] = len(self._output)
            item, number = call_item(call, "in_progress"), _at(step.seq) + 2 * at + 1
            self._output.append(item)
            self._tell(number, "response.output_item.added", output_index=index, item=item)
            self._tell(number + 1, "response.mcp_call.in_progress", output_index=index, item_id=item["id"])

    def _answered(self, step: Answered) -> None:
        for at, call in enumerate(step.calls):
            index, item, number = self._index[call.id], done(call), _at(step.seq) + 2 * at + 1
            self._output[index] = item
            self._tell(number, f"response.mcp_call.{item['status']}", output_index=index, item_id=item["id"])
            self._tell(number + 1, "response.output_item.done", output_index=index, item=item)

    def _said(self, step: Said) -> None:
        if not self._speaks or (self._item is not None and self._item.seq != step.seq):
            return  # of another attempt than the one that the reader has seen: told when it is over
        item = self._item or self._open(step.seq)
        known = item.sent - step.before
        if 0 <= known < len(step.text):
            self._piece(item, step.text[known:])

    def _ended(self, step: Ended) -> None:
        finish, base = Finish.of(step.outcome), _at(step.seq)
        last = base + _TEXT
        answer = finish.status == "completed" or (finish.status == "incomplete" and bool(finish.text))
        item = self._item
        if answer:
            item = self._settled(step.seq, finish.text)
            self._piece(item, finish.text[item.sent :])
            status = item_status(finish.status)
            whole, base = message_item(item.id, status, finish.text), base + _TEXT + 2 + len(finish.text)
            place = {"item_id": item.id, "output_index": item.index, "content_index": 0}
            self._tell(base + 1, "response.output_text.done", **place, text=finish.text, logprobs=[])
            self._tell(base + 2, "response.content_part.done", **place, part=text_part(finish.text))
            self._tell(base + 3, "response.output_item.done", output_index=item.index, item=whole)
            self._output.append(whole)
            last = base + 4
        elif item is not None:
            self._void(item, base)
        run = step.run
        view = self._facts.view(
            finish.status, self._output, finish=finish, usage=run.usage, ended_at=run.finished_at or run.updated_at
        )
        kind = finish.status if finish.status in ("completed", "incomplete") else "failed"
        self._tell(last, f"response.{kind}", response=view)

    def _settled(self, end: int, text: str) -> _Item:
        """The item that has the answer: that of the model's last attempt, of which the reader may have seen a part."""
        item = self._item
        seq = self._asked if self._speaks and self._asked >= 0 else end
        if item is not None and item.seq == end != seq:
            if item.sent > len(text):  # the reader has seen all of it, and something of what ends it
                item = self._item = _Item(self._facts.run_id, seq, item.index)
                item.text, item.sent = None, len(text)
            else:
                seq = end
        if item is not None and item.seq == seq and (item.text is None or text.startswith("".join(item.text))):
            item.sent = min(item.sent, len(text))
            item.index = len(self._output)
            return item
        if item is None:
            return self._open(seq)
        seq = seq if seq > item.seq else end
        self._void(item, _at(seq))
        return self._open(seq, item.index + 1)

    def _open(self, seq: int, index: int | None = None) -> _Item:
        item = self._item = _Item(self._facts.run_id, seq, len(self._output) if index is None else index)
        number, started = _at(seq) + _TEXT, message_item(item.id, "in_progress", None)
        self._tell(number + 1, "response.output_item.added", output_index=item.index, item=started)
        self._begin_part(item)
        return item

    def _begin_part(self, item: _Item) -> None:
        place = {"item_id": item.id, "output_index": item.index, "content_index": 0}
        self._tell(item.number(0), "response.content_part.added", **place, part=text_part(""))

    def _void(self, item: _Item, base: int) -> None:
        """What was told of an answer does not hold: another attempt of the model gives it anew."""
        given_up = message_item(item.id, "incomplete", "".join(item.text or ()))
        self._tell(base + _TEXT - 1, "response.output_item.done", output_index=item.index, item=given_up)

    def _piece(self, item: _Item, text: str) -> None:
        place = {"item_id": item.id, "output_index": item.index, "content_index": 0}
        for at in range(0, len(text), _PIECE):
            delta = text[at : at + _PIECE]
            item.sent += len(delta)
            self._tell(item.number(item.sent), "response.output_text.delta", **place, delta=delta, logprobs=[])
        if item.text is not None:
            item.text.append(text)

    def _tell(self, number: int, kind: str, **said: Any) -> None:
        if number > self._after:
            self._told.append({"type": kind, "sequence_number": number, **said})

    def _taken(self) -> list[Event]:
        told, self._told = self._told, []
        return told


def framed(event: Event) -> bytes:
    """An event as it is sent."""
    kind: str = event["type"]
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode(event) + b"\n\n"


def _at(seq: int) -> int:
    return (seq + 1) * SPAN
