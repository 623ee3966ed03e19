"""A real receiver of webhooks, which verifies what it gets as the Standard Webhooks specification says."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class Receiver:
    """Listens on loopback. `answers` are its next statuses, then 204; `got` is what came with a good signature."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.secret = ""
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.forged = 0
        self.signatures: list[int] = []
        self.url = ""
        self.location = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in head.splitlines()[1:] if ": " in line)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.signatures.append(len(headers["webhook-signature"].split(" ")))
        if self.good(headers, body):
            self.got.append((headers["webhook-id"], json.loads(body)))
        else:
            self.forged += 1
        status = self.answers.pop(0) if self.answers else 204
        where = f"location: {self.location}\r\n" if self.location else ""
        writer.write(f"HTTP/1.1 {status} X\r\n{where}content-length: 0\r\nconnection: close\r\n\r\n".encode())
        writer.close()

    def good(self, headers: dict[str, str], body: bytes) -> bool:
        """Whether the signature is one over this message, made with the secret."""
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return f"v1,{expected}" in headers["webhook-signature"].split(" ")


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """One that listens."""
    made = Receiver()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://localhost:{server.sockets[0].getsockname()[1]}/hook?a=b"
    async with server:
        yield made
