"""What the workloads carry."""

import random
from typing import Any

PAYLOAD: dict[str, Any] = {"tool": "search", "ok": True, "score": 0.75, "text": "x" * 140}  # about 200 bytes as JSON

_WORD_LENGTHS = range(2, 10)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def word_salad(number: int, length: int = 1_000) -> str:
    """A text of that many characters, another one for each number and always the same for one."""
    chance = random.Random(number)
    words = []
    left = length
    while left > 0:
        words.append("".join(chance.choices(_LETTERS, k=chance.choice(_WORD_LENGTHS))))
        left -= len(words[-1]) + 1
    return " ".join(words)[:length].ljust(length, ".")
