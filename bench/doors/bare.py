"""The floor, as `python -m bench.doors.bare`: a FastAPI route that reads the body of a start and answers 201, served as
the gateway is. It ends with SIGTERM."""

import asyncio
import sys
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic import BaseModel

from callboard.apps.gateway.serving import listen

app = FastAPI(openapi_url=None)


class Start(BaseModel):
    """What a start says."""

    flow: str
    input: Any


@app.post("/v1/runs", status_code=201)
async def start(body: Start) -> dict[str, Any]:
    """Answers as a start is answered."""
    return {"id": "01kapxq2v8w6t5r2y1x0v7n3mb", "flow": body.flow, "tenant": "default", "created": True}


async def serve() -> None:
    """Until SIGTERM."""
    listening = listen("127.0.0.1", 0)
    config = uvicorn.Config(app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False)
    print(f"http://127.0.0.1:{listening.getsockname()[1]} serves", file=sys.stderr, flush=True)
    await uvicorn.Server(config).serve(sockets=[listening])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
