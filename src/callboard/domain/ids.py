"""Time-ordered identifiers.

An id is 26 characters of Crockford base 32 in lower case (the layout of a ULID): 48 bits of Unix
milliseconds, then 80 random bits. Ids made later sort later, also as text, which keeps indexes compact
and lets a store partition by id.
"""

import hashlib
from collections.abc import Callable

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
LENGTH = 26


class Ids:
    """Makes ids. Time and randomness are handed in, so that tests can repeat them.

    Args:
        now: seconds since the Unix epoch.
        entropy: returns the given number of random bytes.
    """

    __slots__ = ("_entropy", "_last", "_now")

    def __init__(self, now: Callable[[], float], entropy: Callable[[int], bytes]) -> None:
        self._now = now
        self._entropy = entropy
        self._last = 0

    def new(self) -> str:
        """Returns a fresh id that sorts after every id this object made before, even if the clock was set back."""
        value = (int(self._now() * 1000) << 80) | int.from_bytes(self._entropy(10), "big")
        # Within one millisecond, or after a step back, count on from the last id: order never breaks.
        self._last = value if value > self._last else self._last + 1
        return _text(self._last)


def is_id(text: str) -> bool:
    """True when the text has the form of an id; says nothing about whether such a thing exists."""
    return len(text) == LENGTH and all(c in _ALPHABET for c in text)


def derived(at: float, *parts: str) -> str:
    """An id made of a time and of what it must be the same for: who sends the same key twice names the same thing.

    What is named by others' choice gets such an id: nobody can make it that of something that is there already.
    """
    digest = hashlib.blake2b("\x00".join(parts).encode(), digest_size=10).digest()
    return _text((int(at * 1000) << 80) | int.from_bytes(digest, "big"))


def _text(value: int) -> str:
    # Ten bits at a time: thirteen look-ups instead of twenty-six.
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10)])
