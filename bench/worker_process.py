"""A worker in a process of its own: `python -m bench.worker_process WORKLOAD STORE [DISPATCH]`, where the workload is a
module of this package that has an `app`. It ends when its input does."""

import asyncio
import gc
import importlib
import sys

from bench.places.place import opened

READY = b"ready\n"


async def serve(workload: str, store: str, dispatch: str = "") -> None:
    """Executes runs until somebody closes our input."""
    app = importlib.import_module(f"bench.{workload}").app
    async with opened(app, store, dispatch=dispatch):
        gc.collect()
        gc.freeze()  # as `callboard worker` does
        sys.stdout.buffer.write(READY)
        sys.stdout.buffer.flush()
        await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
