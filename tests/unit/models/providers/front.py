"""A provider of the tests: an HTTP server on loopback that answers what it was told and remembers what it was asked."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

JSON, EVENTS, PAGE = "application/json", "text/event-stream; charset=utf-8", "text/html"


@dataclass(frozen=True)
class Answer:
    """`body` in pieces of `size` bytes; `held`, no end and nothing more comes; `reset`, the connection breaks."""

    body: bytes
    kind: str = EVENTS
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    size: int = 4096
    held: bool = False
    reset: bool = False


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Front:
    """Where it listens, what it was asked, and which of its connections the other side has left."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.answers: deque[Answer] = deque()
        self.left = asyncio.Event()
        self.connections = 0
        self.open: set[asyncio.StreamWriter] = set()

    def say(self, *answers: "Answer | bytes") -> None:
        """What it answers next, in this order."""
        self.answers.extend([Answer(each) if isinstance(each, bytes) else each for each in answers])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        self.connections += 1
        try:
            while True:
                await self._one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left.set()
        finally:
            writer.close()
            self.open.discard(writer)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.asked.append(Asked(first.split(" ")[1], headers, json.loads(body or b"{}")))
        answer = self.answers.popleft()
        more = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        more += f"content-type: {answer.kind}\r\ntransfer-encoding: chunked\r\n"
        writer.write(f"HTTP/1.1 {answer.status} .\r\n{more}\r\n".encode())
        for at in range(0, len(answer.body), answer.size):
            piece = answer.body[at : at + answer.size]
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
        if answer.held:
            await reader.read(1)  # until the other side leaves
            raise ConnectionError
        if answer.reset:
            raise ConnectionError
        writer.write(b"0\r\n\r\n")
        await writer.drain()


@asynccontextmanager
async def front(port: int = 0) -> AsyncIterator[Front]:
    here = Front()
    server = await asyncio.start_server(here.serve, "127.0.0.1", port)
    here.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield here
    finally:
        server.close()
        for writer in list(here.open):
            writer.transport.abort()
        await asyncio.sleep(0)


def plain(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(json.dumps(body).encode(), JSON, status, headers)


def events(*said: dict[str, Any] | str, named: bool = False) -> bytes:
    """Server-sent events; `named` puts each event's type before it, as some providers do."""
    return b"".join(_event(each, named) for each in said)


def _event(said: dict[str, Any] | str, named: bool) -> bytes:
    if isinstance(said, str):
        return f"data: {said}\n\n".encode()
    name = f"event: {said['type']}\n" if named else ""
    return f"{name}data: {json.dumps(said)}\n\n".encode()


def chat(*deltas: dict[str, Any], finish: str | None = "stop", usage: dict[str, Any] | None = None) -> bytes:
    """A streamed chat completion."""
    return events(*chat_chunks(deltas, finish, usage), "[DONE]")


def chat_chunks(
    deltas: Iterable[dict[str, Any]], finish: str | None = "stop", usage: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    about = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x-1"}
    chunks = [{**about, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    if finish is not None:
        chunks.append({**about, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    counted = usage or {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    chunks.append({**about, "choices": [], "usage": counted})
    return chunks


def messages(*blocks: tuple[dict[str, Any], list[dict[str, Any]]], stop: str = "end_turn") -> bytes:
    """A streamed message: each block with its deltas."""
    said: list[dict[str, Any]] = [
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "claude-x-1",
                "content": [],
                "stop_reason": None,
                "usage": {
                    "input_tokens": 5,
                    "cache_read_input_tokens": 20,
                    "cache_creation_input_tokens": 10,
                    "output_tokens": 1,
                },
            },
        }
    ]
    for index, (block, deltas) in enumerate(blocks):
        said.append({"type": "content_block_start", "index": index, "content_block": block})
        said += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        said.append({"type": "content_block_stop", "index": index})
    said.append({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 9}})
    return events(*said, {"type": "message_stop"}, named=True)
