"""Grants as a form gives them and as people read them."""

from collections.abc import Iterable

from callboard.domain.errors import InputInvalid
from callboard.domain.principal import EVERY, Grant, Role

_DAY = 86_400.0


def grants(fields: dict[str, str], tenant: str) -> tuple[Grant, ...]:
    """What a form grants: `role` (several with commas), `where` (`here` or `every`), `flows` and `actions` (names with
    commas or lines between them; empty for all).

    Raises InputInvalid.
    """
    roles = _words(fields.get("role", ""))
    where = EVERY if fields.get("where") == "every" else tenant
    flows = _words(fields.get("flows", "")) or (EVERY,)
    actions = _words(fields.get("actions", "")) or None
    if not roles:
        raise InputInvalid("no role was chosen", remedy=f"choose one of {', '.join(Role)}")
    return tuple(Grant(_role(role), where, flows, actions) for role in roles)


def expiry(fields: dict[str, str], now: float) -> float | None:
    """When something ends that lasts `days` days (empty for ever), in epoch seconds. Raises InputInvalid."""
    text = fields.get("days", "").strip()
    if not text:
        return None
    days = number(text, "days")
    if not 0 < days <= 3_650:
        raise InputInvalid(f"days={text[:20]!r} is not between 0 and 3650", remedy="leave it empty for ever")
    return now + days * _DAY


def number(text: str, name: str) -> float:
    """A number that a field holds. Raises InputInvalid."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value != value or value in (float("inf"), float("-inf")):
        raise InputInvalid(f"{name}={text[:20]!r} is no number", remedy="write it as 30")
    return value


def in_words(given: Iterable[Grant]) -> list[str]:
    """Each grant as people read it: `operator in shop, of refund, handle`."""
    said = []
    for grant in given:
        text = f"{grant.role} in {'every tenant' if grant.tenant == EVERY else grant.tenant}"
        if EVERY not in grant.flows:
            text += f", of {', '.join(grant.flows)}"
        if grant.actions is not None:
            text += f", only {', '.join(grant.actions)}"
        said.append(text)
    return said


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.replace("\n", ",").split(",") if word.strip()))


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise InputInvalid(f"role={text[:40]!r} is unknown", remedy=f"use one of {', '.join(Role)}") from None
