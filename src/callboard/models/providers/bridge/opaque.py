"""What only its provider understands, as text that a journal keeps, and back.

A part of its own (a search that the provider made, a compaction) is kept whole. What hangs on a part of ours (the
item's id, a signature, a citation) is a slip of its own behind that part.
"""

from dataclasses import replace
from typing import Any

import msgspec
from pydantic import TypeAdapter
from pydantic_ai.messages import ModelResponsePart, TextPart, ThinkingPart, ToolCallPart

from callboard.domain.message import Opaque, Reasoning

SLIP = "slip"
_UNKEPT = ("logprobs",)  # what nobody hands back and what would weigh more than the answer
_parts: TypeAdapter[Any] = TypeAdapter(ModelResponsePart)


class Slip(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a provider hung on one part."""

    id: str | None = None
    signature: str | None = None
    details: dict[str, Any] | None = None


def slip_of(part: TextPart | ThinkingPart | ToolCallPart) -> str | None:
    """What hangs on a part, as JSON text; None for nothing."""
    details = part.provider_details and {k: v for k, v in part.provider_details.items() if k not in _UNKEPT}
    signature = part.signature if isinstance(part, ThinkingPart) else None
    if part.id is None and signature is None and not details:
        return None
    return msgspec.json.encode(Slip(part.id, signature, details or None)).decode()


def with_slip(part: Any, data: str, system: str) -> Any:
    """The part with what hung on it."""
    slip = msgspec.json.decode(data, type=Slip)
    kept = replace(part, id=slip.id, provider_name=system, provider_details=slip.details)
    return replace(kept, signature=slip.signature) if slip.signature is not None else kept


def kept_whole(part: Any, mark: str) -> Opaque:
    """A part that we have no word for."""
    return Opaque(mark, part.part_kind, _parts.dump_json(part).decode())


def restored(part: Opaque) -> Any:
    """The provider's own part again."""
    return _parts.validate_json(part.data)


def thought(part: Reasoning, system: str, bare: bool) -> ThinkingPart | None:
    """What the model thought, as its provider wants it back.

    None for a thought that bears no sign of its provider, where that is not `bare` by habit: it would be sent as
    words that the model said.
    """
    if part.opaque is None:
        return ThinkingPart(part.text, provider_name=system) if bare else None
    whole: ThinkingPart = with_slip(ThinkingPart(part.text), part.opaque, system)
    return None if whole.id == "content" else whole  # cut out of the words, it has no place of its own
