"""What is done with a conversation that has grown too long for every model: its older part gives way to a summary."""

from collections.abc import Iterator, Sequence

import msgspec

from callboard.domain.errors import InputInvalid
from callboard.domain.message import Message, Part, Reasoning, Role, Text, ToolCall, ToolResult, user

MARK = "[Summary of the earlier conversation, which was too long to be kept word for word. A model wrote it.]"
INSTRUCTION = (
    "You shorten conversations between a user, an assistant and the assistant's tools. Write a summary of what you are "
    "given, for the assistant to go on with: what was asked, what was found out (keep names, numbers, ids and exact "
    "values), what was done and with what result, what failed, and what is still open. Add nothing. Answer with the "
    "summary only."
)


class Compaction(msgspec.Struct, frozen=True, kw_only=True):
    """How a conversation is compacted when it does not fit into any model that may be asked.

    The system prompt, the first user message and the last turns stay as they are; for what lies between, a model
    writes a summary that is marked as one. A tool call is never parted from its result.

    Attributes:
        model: who writes the summary: the name of a model or a reference; whom the agent asks by default.
        route: or the route that says who.
        keep: how many of the last turns stay at first; half of them when that was not enough.
        tokens: how long a summary may be.
        times: how often one agent run is compacted at most.
        instruction: what the writer is told.
    """

    model: str | None = None
    route: str | None = None
    keep: int = 4
    tokens: int = 2_000
    times: int = 4
    instruction: str = INSTRUCTION

    def __post_init__(self) -> None:
        for name in ("keep", "tokens", "times"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise InputInvalid(f"compact: {name}={value!r} is no whole number above 0", remedy=f"change {name}")
        if self.model is not None and self.route is not None:
            raise InputInvalid("compact has both a model and a route", remedy="name one of them")


def cut(messages: Sequence[Message], head: int, keep: int) -> int:
    """Where the last `keep` turns begin: at a model's message, with the results of its calls behind it.

    Returns the index of the first message that stays; `head` when there is nothing between the head and that.
    """
    turns = [at for at in range(head, len(messages)) if messages[at].role is Role.ASSISTANT]
    if len(turns) <= keep:
        return head
    return turns[-keep]


def marked(summary: str) -> Message:
    """The summary as the model gets it."""
    return user(f"{MARK}\n\n{summary}")


def told(messages: Sequence[Message]) -> list[str]:
    """The messages in words, each by itself."""
    return [f"{message.role.upper()}:\n" + "\n".join(filter(None, map(_words, message.parts))) for message in messages]


def portions(texts: Sequence[str], size: int) -> list[str]:
    """The texts put together into portions of so many bytes; one that is longer is divided, nothing is left out."""
    found: list[str] = []
    room = 0
    for text in texts:
        for piece in _divided(text.encode("utf-8", "surrogatepass"), size):
            if len(piece) + 2 <= room:
                found[-1] += "\n\n" + piece.decode("utf-8", "surrogatepass")
                room -= len(piece) + 2
            else:
                found.append(piece.decode("utf-8", "surrogatepass"))
                room = size - len(piece)
    return found


def _words(part: Part) -> str:
    match part:
        case Text(text):
            return text
        case Reasoning(text):
            return f"(thought) {text}" if text else ""
        case ToolCall(_, name, arguments, raw):
            written = raw if raw is not None else msgspec.json.encode(arguments).decode()
            return f"(calls {name} with {written})"
        case ToolResult(_, name, content, error):
            said = content if isinstance(content, str) else msgspec.json.encode(content).decode()
            return f"({name} {'failed, ' + error if error else 'answered'}: {said})"
        case _:
            return f"({type(part).__name__.lower()})"


def _divided(text: bytes, size: int) -> Iterator[bytes]:
    """UTF-8 in pieces of so many bytes, cut between characters."""
    start = 0
    while len(text) - start > size:
        end = start + max(size, 4)  # no character has more
        while text[end] & 0xC0 == 0x80:
            end -= 1
        yield text[start:end]
        start = end
    yield text[start:]
