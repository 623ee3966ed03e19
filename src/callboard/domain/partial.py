"""A result that is not whole, marked as such, so that nobody takes it for the whole thing."""

from typing import Any

import msgspec

_MARK, _TAG = "$callboard", "partial"


class Partial(msgspec.Struct, frozen=True, tag_field=_MARK, tag=_TAG):
    """What a tool, a step or a flow returns when it has a part of what was asked for.

    It is stored as data and comes back as a Partial. Agents and parents of child runs refuse it unless they say that
    a part will do.

    Attributes:
        value: what there is, JSON-like; it comes back as plain data.
        missing: what is not there, as text or a list of texts.
    """

    value: Any
    missing: str | list[str] = ""

    def told(self) -> dict[str, Any]:
        """As a model is to see it."""
        return {"partial": self.value, "missing": self.missing}


def revived(stored: Any) -> Any:
    """The Partial that a stored JSON value stands for; any other value as it is."""
    if type(stored) is dict and stored.get(_MARK) == _TAG:
        return Partial(stored.get("value"), stored.get("missing", ""))
    return stored
