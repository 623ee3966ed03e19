"""A gateway in a process of its own, that can be killed."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]


@dataclass
class GatewayProcess:
    """A running one. `key` is the first key, of the process that made it."""

    process: asyncio.subprocess.Process
    url: str
    key: str

    async def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def gateway_process(
    store: str, *options: str, secret: str, app: str = "tests.acceptance.gateway.app", **environ: str
) -> AsyncIterator[GatewayProcess]:
    """`callboard gateway` on this store, with the app of these tests or another; killed at the end."""
    env = {**os.environ, "CALLBOARD_GATEWAY_SECRET": secret, "PYTHONPATH": str(ROOT), **environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "callboard.apps.cli", "gateway", app, "--store", store, "--port", "0"),
        *("--no-console", *options),
        env=env,
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    said = ""
    try:
        while (found := re.search(r"^(http://\S+) on ", said, re.MULTILINE)) is None:
            line = (await process.stderr.readline()).decode()
            assert line, f"it did not begin: {said}"
            said += line
        key = re.search(r"^cb_\w+$", said, re.MULTILINE)
        yield GatewayProcess(process, found[1], "" if key is None else key[0])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
