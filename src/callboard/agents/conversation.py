"""An agent's messages in one run: rebuilt from the journal on replay, never stored a second time."""

import hashlib

import msgspec

from callboard.domain.message import Message

_FIXED = 64  # bytes assumed around a message's content


class Conversation:
    """An append-only list of messages with a rolling digest over what each refers to.

    The digest stands for the messages in the journal's comparison: its cost does not grow with their number.
    """

    __slots__ = ("_state", "assistant_turns", "messages", "size")

    def __init__(self, release: bytes) -> None:
        self.messages: list[Message] = []
        self.assistant_turns = 0
        self.size = 0  # bytes, for reserving tokens
        self._state = release

    @property
    def digest(self) -> bytes:
        """Eight bytes over the agent's release and the messages so far."""
        return self._state

    def add(self, message: Message, reference: bytes | None = None) -> None:
        """Appends a message. `reference` says where the journal has it; without one, its content is digested."""
        encoded_size = _FIXED + sum(len(p.text) for p in message.parts if hasattr(p, "text"))
        if reference is None:
            encoded = msgspec.json.encode(message)
            encoded_size, reference = len(encoded), encoded
        self.messages.append(message)
        self.size += encoded_size
        self._state = hashlib.blake2b(self._state + reference, digest_size=8).digest()
