"""What a journal says of the attempts at an effect: their key, why they failed, what they reserved, what they cost."""

import hashlib
from typing import Any

import msgspec

from callboard.domain.bill import FREE, Bill
from callboard.domain.errors import Failure
from callboard.domain.event import Event
from callboard.domain.kinds import ErrorRecord
from callboard.domain.usage import NOTHING, Usage
from callboard.engine.effect import Attempt
from callboard.engine.executing import Executing


def key_at(execution: Executing, place: str) -> str:
    """The idempotency key of the effect at a place of a run."""
    base = execution.base  # a run that began anew uses its places again, but never its keys
    place_digest = hashlib.blake2b((f"{base}!{place}" if base else place).encode(), digest_size=8).hexdigest()
    return f"{execution.run.id}-{place_digest}"


def reserved_by(intents: tuple[Event, ...]) -> Usage:
    """What the intents had reserved, together."""
    total = NOTHING
    for intent in intents:
        body = intent.value()
        if "reserved" in body:
            total += msgspec.convert(body["reserved"], Usage)
    return total


def charged_by(intents: tuple[Event, ...]) -> Bill:
    """What the last of the intents had reserved, which is charged because its outcome never came."""
    if not intents:
        return FREE
    body = intents[-1].value()
    return charged_to(body.get("note"), msgspec.convert(body.get("reserved", []), Usage))


def charged_to(note: Any, usage: Usage) -> Bill:
    """What an attempt is charged without a result, for whom its reservation's note says that it was."""
    if usage == NOTHING:
        return FREE
    who = note if isinstance(note, dict) else {}
    return Bill(usage, str(who.get("agent", "")), str(who.get("model", "")), 1)


def retry_body(attempt: Attempt, failure: Failure, due: float, spent: Usage) -> dict[str, Any]:
    """The body of a RETRY: why an attempt failed, what that cost, and when the next one is due (epoch seconds)."""
    body: dict[str, Any] = {"attempt": attempt.number, "due": due, "error": failure.record()}
    if spent != NOTHING:
        body["spent"] = spent
    return body


def failures(retries: tuple[Event, ...]) -> list[ErrorRecord]:
    """Why the attempts before failed, oldest first."""
    return [msgspec.convert(retry.value()["error"], ErrorRecord) for retry in retries]


def spent_by(retries: tuple[Event, ...]) -> Usage:
    """What the failed attempts cost, together."""
    total = NOTHING
    for retry in retries:
        body = retry.value()
        if "spent" in body:
            total += msgspec.convert(body["spent"], Usage)
    return total
