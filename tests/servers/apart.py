"""Running a coroutine from anywhere: also from a fixture, and from inside a running loop."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def apart(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs it in a thread and a loop of its own, and waits. Blocks the caller's loop if there is one."""
    with ThreadPoolExecutor(1, thread_name_prefix="apart") as thread:
        return thread.submit(asyncio.run, coroutine).result()
