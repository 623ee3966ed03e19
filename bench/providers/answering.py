"""The provider, as `python -m bench.providers.answering`: a process that prints its port and ends with its input."""

import asyncio
import sys

from bench.providers.wire import TOOLS, answers

_END = b"\r\n\r\n"


class Answering(asyncio.Protocol):
    """One connection: reads requests, writes made-up answers, all pieces of a stream at once."""

    def __init__(self, ready: dict[tuple[str, bool], bytes]) -> None:
        self._ready = ready
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._out = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        while (end := self._got.find(_END)) >= 0:
            head = self._got[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self._got) < (stop := end + len(_END) + length):
                return
            body, path = self._got[end:stop], head.split(b" ", 2)[1].partition(b"?")[0].decode()
            self._got = self._got[stop:]
            asked = body.replace(b" ", b"")
            streamed = b'"stream":true' in asked
            if b'"role":"tool"' in asked:
                path = path.removeprefix(TOOLS)
            self._out.write(self._ready[path, streamed])


def _whole(content_type: str, pieces: list[bytes]) -> bytes:
    """Head and body; each piece is a chunk of its own, as a provider flushes after each event."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\n"
    if len(pieces) == 1:
        return f"{head}content-length: {len(pieces[0])}\r\n\r\n".encode() + pieces[0]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return f"{head}transfer-encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n"


async def serve() -> None:
    """Until somebody closes our input."""
    ready = {key: _whole(content_type, list(pieces)) for key, (content_type, pieces) in answers().items()}
    server = await asyncio.get_running_loop().create_server(lambda: Answering(ready), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(serve())
