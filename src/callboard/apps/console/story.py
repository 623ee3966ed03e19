"""What a run has done up to a question, told in order: what models said, what tools were asked and answered."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

from callboard.domain.event import Event, EventKind
from callboard.domain.message import Message

What = Literal["input", "model", "tool", "decision", "failure", "step", "other"]
_QUIET = (":timeout", ":race")  # they frame other effects, and say nothing by themselves
_DECIDED = (":ask",)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened.

    Attributes:
        what: what kind of thing.
        name: of the tool, the agent, the effect.
        said: words of a model, or what went wrong.
        asked: arguments of a tool, as the model wrote them; None where nothing is known.
        value: what came of it, JSON-like.
        at: when, in epoch seconds.
        took: seconds.
        seq: of the journal's row.
    """

    what: What
    name: str
    at: float
    seq: int
    said: str = ""
    asked: Any = None
    value: Any = None
    took: float = 0.0


def story(events: Iterable[Event], until: str = "") -> list[Told]:
    """All of it, up to the effect with the path `until` where one is given."""
    return list(_told(events, until))


def _told(events: Iterable[Event], until: str) -> Iterator[Told]:
    agents: dict[str, str] = {}
    asked: dict[tuple[str, str], list[Any]] = {}  # arguments of calls that models made, by scope and tool
    for event in events:
        if until and event.path == until:
            yield from _asking(event)
            return
        at, took, value = event.at / 1e6, event.took / 1e6, event.value()
        name = event.path.rpartition(":")[2]
        match event.kind:
            case EventKind.STARTED | EventKind.CONTINUED:
                yield Told(what="input", name="input", value=value, at=at, seq=event.seq)
            case EventKind.INTENT if event.path.endswith(":model") and isinstance(value, dict):
                agents[event.path] = str((value.get("note") or {}).get("agent") or "model")
            case EventKind.INTENT if isinstance(value, dict) and value.get("asked") is not None:
                asked.setdefault((_scope(event.path), name), []).append(value["asked"])
            case EventKind.DONE if event.path.endswith(_QUIET):
                continue
            case EventKind.DONE if (message := _message(event, value)) is not None:
                for call in message.tool_calls:
                    asked.setdefault((_scope(event.path), call.name), []).append(call.arguments)
                calls = [call.name for call in message.tool_calls]
                who = agents.get(event.path, "model")
                yield Told(what="model", name=who, said=message.text, asked=calls, at=at, took=took, seq=event.seq)
            case EventKind.DONE:
                waiting = asked.get((_scope(event.path), name), [])
                known = waiting.pop(0) if waiting else None
                arguments = (value or {}).get("asked", known)
                what: What = (
                    "decision" if event.path.endswith(_DECIDED) else "tool" if arguments is not None else "step"
                )
                result = (value or {}).get("result")
                yield Told(
                    what=what, name=name, asked=arguments, value=_decoded(result), at=at, took=took, seq=event.seq
                )
            case EventKind.FAILED | EventKind.RETRY | EventKind.ABANDONED:
                error = (value or {}).get("error") or value or {}
                said = error.get("message", "") if isinstance(error, dict) else str(error)
                yield Told(what="failure", name=name, said=str(said), at=at, took=took, seq=event.seq)
            case EventKind.REQUEUED | EventKind.FORKED:
                yield Told(what="other", name=event.kind.label, value=value, at=at, seq=event.seq)
            case _:
                continue


def _asking(event: Event) -> Iterator[Told]:
    """The call whose outcome nobody knows, where it is that which is asked about."""
    value = event.value()
    if event.kind is EventKind.INTENT and isinstance(value, dict) and value.get("asked") is not None:
        name = event.path.rpartition(":")[2]
        said = "begun here, and nothing was heard of how it ended"
        yield Told(what="failure", name=name, said=said, asked=value["asked"], at=event.at / 1e6, seq=event.seq)


def _scope(path: str) -> str:
    """Where an agent's turn is: `1/0.0` of `1/0.0/3:lookup`."""
    place = path.partition(":")[0]
    return place.rpartition("/")[0]


def _message(event: Event, value: Any) -> Message | None:
    if not event.path.endswith(":model"):
        return None
    try:
        return msgspec.convert(value["result"]["message"], Message)
    except (msgspec.ValidationError, KeyError, TypeError):  # a step of that name
        return None


def _decoded(result: Any) -> Any:
    """A tool that answers with JSON in a text is shown as what it says."""
    if isinstance(result, str) and result[:1] in ("{", "["):
        try:
            return msgspec.json.decode(result)
        except msgspec.DecodeError:
            return result
    return result
