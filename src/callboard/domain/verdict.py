"""What a check says: allow, deny, ask a person, or redact."""

from enum import StrEnum
from typing import Any

import msgspec


class Ruling(StrEnum):
    """The four answers of a check."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"
    REDACT = "redact"


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """A ruling with its reason. `redacted` is the value to use instead, for REDACT only."""

    ruling: Ruling
    reason: str = ""
    redacted: Any = None


ALLOW = Verdict(Ruling.ALLOW)
