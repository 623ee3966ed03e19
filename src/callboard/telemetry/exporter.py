"""Sends spans from a thread of its own. Nobody waits for it: what its queue has no room for is dropped and counted."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any

from callboard.telemetry import otlp
from callboard.telemetry.endpoint import Endpoint
from callboard.telemetry.metrics import Metrics
from callboard.telemetry.span import Span

_log = logging.getLogger("callboard.telemetry")

Work = Callable[[], Iterable[Span]]

_QUEUE = 64 * 1024 * 1024  # bytes of journals that wait to be told
_BATCH = 512  # spans in a request, about
_LINGER = 1.0  # seconds for which a batch waits for more
_TIMEOUT = 10.0  # seconds for a collector to take a batch
_ATTEMPTS = 4
_BACK_OFF = (0.5, 8.0)  # seconds between two attempts, growing, at most
_QUIET = 60.0  # seconds between two words in the log about a collector that does not answer
_AGAIN = frozenset({408, 429, 502, 503, 504})  # what OTLP/HTTP says may be repeated


class Exporter:
    """A bounded queue, and a thread that empties it into a collector.

    What is queued is work that gives spans: they are made in the thread too.

    Args:
        endpoint: where to.
        resource: what this process says of itself.
        version: this package's.
        metrics: counts what was told and what was dropped.
        chance: spreads attempts, so that not all processes come back at once.
        queue: bytes of journals that may wait.
        timeout: seconds for the collector to take a batch.
        tell_metrics: the metrics as a body for the endpoint's other address, asked for every `every` seconds and at
            the end; empty when there is nothing to tell.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        resource: Mapping[str, str],
        version: str,
        metrics: Metrics,
        chance: Random,
        *,
        queue: int = _QUEUE,
        timeout: float = _TIMEOUT,
        tell_metrics: Callable[[Mapping[str, str]], bytes] | None = None,
        every: float = 30.0,
    ) -> None:
        otlp.check()
        self._endpoint = endpoint
        self._attributes = resource
        self._version = version
        self._metrics = metrics
        self._chance = chance
        self._room = queue
        self._timeout = timeout
        self._tell_metrics = tell_metrics if endpoint.metrics else None
        self._every = every
        self._waiting: deque[tuple[int, Work]] = deque()
        self._size = 0
        self._news = threading.Condition()
        self._closing: float | None = None
        self._told_to_close = threading.Event()
        self._in_hand = 0  # runs that the thread has taken, and nobody has yet
        self._left = False
        self._failing = 0  # batches in a row that did not get through
        self._told_at = -_QUIET
        self._thread: threading.Thread | None = None

    @property
    def full(self) -> bool:
        """True while there is no room: it would be in vain to prepare anything."""
        return self._size >= self._room

    @property
    def _much(self) -> bool:
        """Whether about a batch waits."""
        return len(self._waiting) * 8 >= _BATCH

    def offer(self, size: int, work: Work) -> bool:
        """Queues work that stands for so many bytes; False, and counted, when there is no room. Never blocks long."""
        with self._news:
            if self._closing is not None or self._size + size > self._room:
                self._metrics.telemetry_dropped["queue"] += 1
                return False
            self._waiting.append((size, work))
            self._size += size
            if self._much:  # for less it looks by itself: to be woken for each run costs more than the run's spans
                self._news.notify()
        self.start()
        return True

    def start(self) -> None:
        """Begins to send, if it has not yet."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="callboard-telemetry", daemon=True)
            self._thread.start()

    def close(self, patience: float) -> None:
        """Sends what waits, for so many seconds at most, then lets go of it."""
        with self._news:
            self._closing = time.monotonic() + patience
            self._told_to_close.set()
            self._news.notify()
        if self._thread is not None:
            self._thread.join(patience)
        with self._news:
            self._metrics.telemetry_dropped["closed"] += len(self._waiting) + self._in_hand
            self._waiting.clear()
            self._in_hand, self._left = 0, True  # what the thread may still get through is counted as lost

    def _run(self) -> None:
        import requests

        writer = otlp.Writer(self._attributes, self._version)
        due = time.monotonic() + self._every
        with requests.Session() as session:
            session.headers.update(dict(self._endpoint.headers))
            session.headers["Content-Type"] = "application/x-protobuf"
            # What the environment says of proxies and certificates is read once, not for each batch.
            said = session.merge_environment_settings(self._endpoint.traces, {}, None, None, None)
            session.proxies, session.verify, session.trust_env = said["proxies"], said["verify"], False
            while True:
                batch = self._take()
                try:
                    if batch:
                        self._tell(session, writer, batch)
                    if self._tell_metrics is not None and (time.monotonic() >= due or self._closing is not None):
                        due = time.monotonic() + self._every
                        if numbers := self._tell_metrics(self._attributes):
                            self._post(session, self._endpoint.metrics, numbers, attempts=1)
                except Exception:
                    self._count("unread", self._in_hand)
                    _log.exception("telemetry could not be written")
                if self._closing is not None and (not self._waiting or time.monotonic() >= self._closing):
                    return

    def _take(self) -> list[Work]:
        """The next batch: as soon as there is much, or some time after there is any."""
        until = time.monotonic() + _LINGER
        with self._news:
            while self._closing is None and not self._much:
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._news.wait(left)
            batch: list[Work] = []
            while self._waiting and len(batch) * 8 < _BATCH:
                size, work = self._waiting.popleft()
                self._size -= size
                batch.append(work)
            self._in_hand = len(batch)
            return batch

    def _tell(self, session: Any, writer: otlp.Writer, batch: list[Work]) -> None:
        spans: list[bytes] = []
        runs = 0
        for at, work in enumerate(batch):
            try:
                spans += [writer.span(span) for span in work()]
                runs += 1
            except Exception:
                self._count("unread", 1)
                _log.exception("the spans of a run could not be made")
            if spans and (len(spans) >= _BATCH or at == len(batch) - 1):
                fault = self._post(session, self._endpoint.traces, writer.request(spans))
                self._count(fault, runs)
                spans, runs = [], 0

    def _count(self, fault: str, runs: int) -> None:
        """So many of the runs in hand were told, or were not."""
        with self._news:
            if self._left:
                return
            self._in_hand -= runs
            if fault:
                self._metrics.telemetry_dropped[fault] += runs
            else:
                self._metrics.telemetry_told += runs

    def _post(self, session: Any, address: str, body: bytes, attempts: int = _ATTEMPTS) -> str:
        """Empty when the collector took it, else why not."""
        import requests

        if self._failing:
            attempts = 1  # it did not answer before: what waits is not to grow old behind one batch
        wait, fault, said = _BACK_OFF[0], "", ""
        for left in range(attempts - 1, -1, -1):
            after = 0.0
            try:
                answer = session.post(address, data=body, timeout=self._patience(), allow_redirects=False)
                if answer.status_code < 300:
                    self._failing = 0
                    return ""
                fault, said = "rejected", f"it answered {answer.status_code}"
                if answer.status_code not in _AGAIN:
                    break
                after = _seconds(answer.headers.get("Retry-After"))
            except requests.RequestException as error:
                fault, said = "unreachable", type(error).__name__
            if not left or self._late():
                break
            self._told_to_close.wait(min(max(wait * (1 + self._chance.random() / 4), after), _BACK_OFF[1]))
            wait *= 2
        self._failing += 1
        now = time.monotonic()
        if now - self._told_at >= _QUIET:
            self._told_at = now
            _log.warning("telemetry does not get through to %s (%s); runs go on without it", self._endpoint.shown, said)
        return fault

    def _patience(self) -> float:
        if self._closing is None:
            return self._timeout
        return max(0.1, min(self._timeout, self._closing - time.monotonic()))

    def _late(self) -> bool:
        return self._closing is not None and time.monotonic() >= self._closing


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:
        return 0.0
