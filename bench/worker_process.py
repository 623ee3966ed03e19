"""A worker in a process of its own: `python -m bench.worker_process FILE`. It ends when its input does."""

import asyncio
import sys
from pathlib import Path

import callboard as cb
from bench.scratch import opened

READY = b"ready\n"

app = cb.App("trivial")


@app.flow
async def echo(ctx: cb.Context, value: int) -> int:
    return value


async def serve(path: Path) -> None:
    """Executes runs until somebody closes our input."""
    async with opened(app, path):
        sys.stdout.buffer.write(READY)
        sys.stdout.buffer.flush()
        await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
