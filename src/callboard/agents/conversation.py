"""An agent's messages in one run: rebuilt from the journal on replay, never stored a second time."""

import hashlib
from collections.abc import Iterator

import msgspec

from callboard.domain.message import Media, Message

_FIXED = 16  # bytes assumed around a message, beside what it encodes to

_encoder = msgspec.json.Encoder()


class Conversation:
    """A list of messages with a rolling digest over what each refers to. It only grows, but for a compaction.

    The digest stands for the messages in the journal's comparison: its cost does not grow with their number.

    Attributes:
        messages: what a model gets.
        whys: why each of them is there, in words, for who looks at what a model saw.
        assistant_turns: how many of all messages so far were a model's.
    """

    __slots__ = ("_before", "_measured", "_media", "_size", "_state", "assistant_turns", "messages", "whys")

    def __init__(self, release: bytes) -> None:
        self.messages: list[Message] = []
        self.whys: list[str] = []
        self.assistant_turns = 0
        self._state = release
        self._size = 0
        self._measured = 0  # messages that the size counts
        self._media: list[Media] = []
        self._before: list[Message] = []  # that compactions took out, the oldest first

    @property
    def digest(self) -> bytes:
        """Eight bytes over the agent's release and the messages so far."""
        return self._state

    @property
    def size(self) -> int:
        """Bytes of the messages, for reserving tokens: a token is at least one byte."""
        self._measure()
        return self._size

    @property
    def media(self) -> list[Media]:
        """Images, sounds and documents in the messages."""
        self._measure()
        return self._media

    @property
    def whole(self) -> tuple[Message, ...]:
        """All messages there were, also those for which a summary stands now; it comes after them."""
        if not self._before:
            return tuple(self.messages)
        head = self.head
        return (*self.messages[:head], *self._before, *self.messages[head:])

    @property
    def head(self) -> int:
        """How many messages it began with: the prompt, and what the agent was asked."""
        return next((at + 1 for at, each in enumerate(self.messages) if each.role != "system"), 0)

    def add(self, message: Message, reference: bytes | None = None, *, why: str = "") -> None:
        """Appends a message. `reference` says where the journal has it; without one, its content is digested."""
        if reference is None:
            reference = _encoder.encode(message)
        self.messages.append(message)
        self.whys.append(why)
        self._state = hashlib.blake2b(self._state + reference, digest_size=8).digest()

    def compact(self, until: int, summary: Message) -> None:
        """Puts a summary in the place of the messages between the head and that index."""
        head = self.head
        self._before += self.messages[head:until]
        self.messages[head:until] = [summary]
        self.whys[head:until] = [f"a summary of {until - head} messages, for which there was no room"]
        self._size, self._measured, self._media = 0, 0, []
        self._state = hashlib.blake2b(self._state + b"summary" + _encoder.encode(summary), digest_size=8).digest()

    def _measure(self) -> None:
        for message in self.messages[self._measured :]:
            self._size += size_of(message)
            self._media += _media_in(message)
        self._measured = len(self.messages)


def size_of(message: Message) -> int:
    """Bytes of a message, as far as reserving tokens goes."""
    return _FIXED + len(_encoder.encode(message))


def _media_in(message: Message) -> Iterator[Media]:
    return (part for part in message.parts if type(part) is Media)
