"""How long a hint takes from one process to another: `python -m bench.bell_latency URL...` (postgresql:// or redis://)."""

import asyncio
import contextlib
import subprocess
import sys
import time
from statistics import quantiles

from callboard.dispatch.bell import Bell, Hint, News
from callboard.dispatch.in_process import InProcessBell
from callboard.dispatch.postgres import PostgresBell
from callboard.dispatch.redis_streams import RedisBell

_HINTS = 1_000
_PAUSE = 0.003  # seconds


def bell(url: str, name: str, *, claims: bool) -> Bell:
    """A bell of the kind that the URL names."""
    if url.startswith("postgres"):
        return PostgresBell(url, InProcessBell(), name, channel="bell_latency")
    return RedisBell(url, InProcessBell(), "bell_latency", name, claims=claims)


async def hear(url: str) -> None:
    """The other process: prints when it heard what, by the clock that all processes of a machine share."""
    other = bell(url, "other", claims=True)

    def heard(hints: list[Hint]) -> None:
        now = time.monotonic()
        other.answered(other.mark())
        for hint in hints:
            print(hint.run_id, now, flush=True)

    other.listen(heard)
    await other.open()
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await other.close()


async def measure(url: str) -> None:
    """Rings, one hint after another, and prints the figures."""
    command = [sys.executable, "-m", "bench.bell_latency", "hear", url]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    own = bell(url, "own", claims=False)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        await own.open()
        for news in (News.READY, News.ENDED):
            took = []
            for n in range(_HINTS):
                began = time.monotonic()
                own.ring([Hint(news, f"{n:026d}")])
                _, at = (await asyncio.to_thread(other.stdout.readline)).split()
                took.append((float(at) - began) * 1e3)
                await asyncio.sleep(_PAUSE)
            cuts = quantiles(took, n=100)
            kind = type(own).__name__
            print(f"{kind:13} {news.name:6} p50 {cuts[49]:.2f} ms  p95 {cuts[94]:.2f} ms  p99 {cuts[98]:.2f} ms")
    finally:
        await own.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            other.communicate(timeout=5)
        other.kill()


if __name__ == "__main__":
    if sys.argv[1:2] == ["hear"]:
        asyncio.run(hear(sys.argv[2]))
    for each in sys.argv[1:] if sys.argv[1:2] != ["hear"] else ():
        asyncio.run(measure(each))
