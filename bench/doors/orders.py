"""What the load process is told, and what it answers."""

import msgspec


class Load(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One request, again and again, for so many seconds.

    Attributes:
        rate: how many a second are due; 0 for as many as the connections can ask for one after the other.
    """

    path: str
    seconds: float
    connections: int
    method: str = "POST"
    body: str = ""
    headers: tuple[str, ...] = ()
    rate: float = 0.0


class Streams(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The streams of runs, one of each; read for so many seconds, once they have been open for `settle`."""

    runs: tuple[str, ...]
    seconds: float
    headers: tuple[str, ...] = ()
    settle: float = 1.0


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, by status (`0` for a lost connection), or for `events` of streams; times in seconds.

    Attributes:
        seconds: from the first request to the last answer.
        cpu: processor seconds of the load process: less than `seconds`, or it was the one that was busy.
        unanswered: requests that had no answer at the end.
    """

    seconds: float
    cpu: float
    unanswered: int
    counts: dict[str, int]
    p50: dict[str, float]
    p99: dict[str, float]
    worst: dict[str, float]

    @property
    def good(self) -> int:
        """Answers with 201."""
        return self.counts.get("201", 0)
