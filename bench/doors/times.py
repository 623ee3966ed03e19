"""How long the requests of a load took, and the account that is given of it."""

from collections import defaultdict
from time import perf_counter, process_time

from bench.doors.orders import Found


class Times:
    """Counts from when it is made."""

    def __init__(self) -> None:
        self.begun = perf_counter()
        self._cpu = process_time()
        self._took: dict[str, list[float]] = defaultdict(list)

    def add(self, status: str, seconds: float) -> None:
        """One more answer."""
        self._took[status].append(seconds)

    def found(self, unanswered: int = 0) -> Found:
        """What there was until now."""
        seconds, cpu = perf_counter() - self.begun, process_time() - self._cpu
        took = {status: sorted(times) for status, times in self._took.items()}
        return Found(
            seconds=seconds,
            cpu=cpu,
            unanswered=unanswered,
            counts={status: len(times) for status, times in took.items()},
            p50={status: _share(times, 0.5) for status, times in took.items()},
            p99={status: _share(times, 0.99) for status, times in took.items()},
            worst={status: times[-1] for status, times in took.items()},
        )


def _share(times: list[float], share: float) -> float:
    """That many of the sorted times are not longer."""
    return times[min(len(times) - 1, int(len(times) * share))]
