"""Shows that a worker lives: from a thread, but only while its event loop turns."""

import asyncio
import contextlib
import threading

from callboard.engine.services import Services


class Heartbeat:
    """Beats every `beat` seconds. A worker whose loop is stuck stops beating, and loses its runs."""

    def __init__(self, services: Services, worker_id: str) -> None:
        self._services = services
        self._worker_id = worker_id
        self._ticked = threading.Event()
        self._stop = threading.Event()
        self._beaten_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="callboard-heartbeat", daemon=True)

    @property
    def age(self) -> float | None:
        """Seconds since the last beat; None while it does not beat."""
        if self._beaten_at is None or self._stop.is_set():
            return None
        return self._services.clock.monotonic() - self._beaten_at

    def start(self) -> None:
        """Begins to beat."""
        self._beaten_at = self._services.clock.monotonic()
        self._loop = asyncio.get_running_loop()
        self._ticked.set()
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._services.settings.beat):
            if self._ticked.is_set():
                self._ticked.clear()
                self._beaten_at = self._services.clock.monotonic()
                self._services.store.claims.beat(self._worker_id)
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._ticked.set)
