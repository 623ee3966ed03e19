"""Hints on their way to other processes, as a short text: each hint once, and only so many."""

from collections.abc import Iterable, Iterator

from callboard.dispatch.bell import Hint, News

_MOST = 10_000  # hints kept while the way is blocked
_KNOWN = frozenset(str(news) for news in News)


class Pending:
    """A bounded queue without doubles. When it is full, the oldest hints are lost, which is allowed.

    Of READY hints the first stands for all: one wakes every listener.
    """

    def __init__(self) -> None:
        self._hints: dict[tuple[News, str], Hint] = {}

    def __bool__(self) -> bool:
        return bool(self._hints)

    def __len__(self) -> int:
        return len(self._hints)

    def add(self, hint: Hint) -> None:
        """Adds a hint, unless it waits already."""
        self._hints.setdefault((hint.news, "" if hint.news is News.READY else hint.run_id), hint)
        if len(self._hints) > _MOST:
            del self._hints[next(iter(self._hints))]

    def take(self) -> list[Hint]:
        """All that waits, the oldest first."""
        taken, self._hints = self._hints, {}
        return list(taken.values())

    def put_back(self, hints: Iterable[Hint]) -> None:
        """Hints that could not be told; newer ones stay behind them."""
        for hint in (*hints, *self.take()):
            self.add(hint)

    def clear(self) -> None:
        """Forgets all."""
        self._hints.clear()


def pack(sender: str, hints: Iterable[Hint], limit: int) -> Iterator[str]:
    """The hints as texts of at most `limit` bytes."""
    words, size = [sender], len(sender)
    for hint in hints:
        word = f"{hint.news}{hint.run_id}"
        if len(words) > 1 and size + 1 + len(word) > limit:
            yield " ".join(words)
            words, size = [sender], len(sender)
        words.append(word)
        size += 1 + len(word)
    if len(words) > 1:
        yield " ".join(words)


def unpack(text: str) -> tuple[str, list[Hint]]:
    """Who sent a text, and its hints; what is no hint is left out."""
    sender, *words = text.split(" ")
    return sender, [Hint(News(word[0]), word[1:]) for word in words if len(word) > 1 and word[0] in _KNOWN]
