"""What clients say, as messages: the forms of chat completions and of responses."""

import mimetypes
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from callboard.apps.gateway.openai.refusals import Refusal
from callboard.domain.message import Media, Message, Part, Role, Text

_ROLES = {"system": Role.SYSTEM, "developer": Role.SYSTEM, "user": Role.USER, "assistant": Role.ASSISTANT}
_WORDS = ("text", "input_text", "output_text")
_IMAGES = ("image_url", "input_image")
_OURS = ("mcp_call", "reasoning")  # items that responses have, and that clients hand back: the runs know them


def messages_of(messages: Sequence[Any], param: str) -> tuple[Message, ...]:
    """Messages of a chat. Raises Refusal."""
    found = [_message(each, f"{param}[{at}]") for at, each in enumerate(messages)]
    if not found or found[-1].role is not Role.USER:
        raise _bad(param, "the last message must be the user's")
    return tuple(found)


def items_of(given: str | Sequence[Any]) -> tuple[Message, ...]:
    """The input of a response: a text, or items. Raises Refusal."""
    if isinstance(given, str):
        return (Message(Role.USER, (Text(given),)),)
    kept: list[Any] = []
    for at, item in enumerate(given):
        kind = item.get("type", "message") if isinstance(item, dict) else None
        if kind == "message":
            kept.append(item)
        elif kind not in _OURS:
            raise _bad(f"input[{at}].type", f"items of the type {kind!r} are not taken: tools are called here")
    return messages_of(kept, "input")


def _message(given: Any, place: str) -> Message:
    if not isinstance(given, dict):
        raise _bad(place, "it is no message")
    role = given.get("role")
    if role in ("tool", "function") or given.get("tool_calls") or given.get("function_call"):
        raise _bad(place, "calls of tools and their results are not taken: agents call their own tools here")
    if role not in _ROLES:
        raise _bad(f"{place}.role", f"{role!r} is unknown; use {', '.join(_ROLES)}")
    content = given.get("content")
    if content is None and given.get("refusal"):
        content = given["refusal"]
    if isinstance(content, str):
        return Message(_ROLES[role], (Text(content),))
    if not isinstance(content, list) or not content:
        raise _bad(f"{place}.content", "it must be a text or a list of parts")
    return Message(_ROLES[role], tuple(_parts(content, f"{place}.content")))


def _parts(content: list[Any], place: str) -> Iterator[Part]:
    for at, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in _WORDS and isinstance(part.get("text"), str):
            yield Text(part["text"])
        elif kind == "refusal" and isinstance(part.get("refusal"), str):
            yield Text(part["refusal"])
        elif kind in _IMAGES:
            yield _image(part, f"{place}[{at}]")
        else:
            raise _bad(f"{place}[{at}]", f"parts of the type {kind!r} are not taken; text and images by URL are")


def _image(part: dict[str, Any], place: str) -> Media:
    url = part.get("image_url")
    if isinstance(url, dict):
        url = url.get("url")
    if not isinstance(url, str):
        raise _bad(place, "an image is given by its URL")
    if url.startswith("data:"):
        raise _bad(place, "an image's bytes are not taken; put it where the model can fetch it, and send its URL")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _bad(place, "the image's URL is none") from None
    if parts.scheme != "https" or not parts.hostname:
        raise _bad(place, "the image's URL must begin with https://")
    guessed = mimetypes.guess_type(parts.path)[0]
    return Media(url, guessed if guessed and guessed.startswith("image/") else "image/jpeg")


def _bad(param: str, why: str) -> Refusal:
    return Refusal(400, "invalid_value", f"{param}: {why}", param=param)
