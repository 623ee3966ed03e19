"""HTTP/1.1 as the server reads it, with limits on how long and how large the head of a request may be."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

_HEAD = 64 * 1024  # bytes of a request line and its headers

Refuse = Callable[[str, bytes, Iterable[tuple[bytes, bytes]]], bytes | None]


def limited(head_time: float, refuse: Refuse) -> type[asyncio.Protocol]:
    """A protocol that cuts off who takes longer than `head_time` seconds to send the head of a request.

    It asks `refuse` of each, by method, path and headers, whether it is sent away: what that returns is the answer.
    """

    class Limited(HttpToolsProtocol):
        """Counts and times what comes before a request is complete enough to be served."""

        _timer: asyncio.TimerHandle | None = None
        _reading = True  # the head of a request has not come wholly
        _size = 0
        _idle = 0  # bytes since the head that brought nothing of a body: trailers, extensions of chunks
        _refusal: bytes | None = None  # the answer to the request that is being read, which nobody else gets to see

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._await_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._reading:
                if self._timer is None:
                    self._await_head()  # the first bytes of another request on a connection that was kept
                self._size += len(data)
            self._idle += len(data)
            super().data_received(data)
            if self._refusal is not None:  # there is more of it to come, which is not waited for
                self._send_away(close=True)
            elif self._reading and self._size > _HEAD:
                self._refuse(431, "The head of the request is too large.")
            elif not self._reading and self._idle > _HEAD:
                self.transport.abort()

        def on_headers_complete(self) -> None:
            self._reading = False
            self._idle = 0
            self._disarm()
            before: Any = self.cycle
            if before is None or before.response_complete:  # answers go out in the order of the requests
                path = self.url.partition(b"?")[0]
                self._refusal = refuse(self.parser.get_method().decode("ascii"), path, self.headers)
            if self._refusal is None:
                self._unset_keepalive_if_required()
                super().on_headers_complete()
                self.scope["state"]["abort"] = self.transport.abort

        def on_body(self, body: bytes) -> None:
            self._idle = 0
            if self._refusal is None:
                super().on_body(body)

        def on_message_complete(self) -> None:
            if self._refusal is not None:
                self._send_away(close=not self.parser.should_keep_alive())
                return
            super().on_message_complete()
            self.scope["state"]["whole"] = True  # its body needs no watch that times it

        def on_response_complete(self) -> None:
            if self.cycle.more_body:
                # Answered before the body had come: what is left of it is not read, however slowly it comes.
                self.transport.close()
            self._reading = True
            self._size = 0
            super().on_response_complete()

        def _send_away(self, close: bool) -> None:
            """Answers what is refused. Its connection may be kept: who comes back need not make another."""
            refusal, self._refusal = self._refusal, None
            self._reading = True
            self._size = 0
            self.server_state.total_requests += 1
            if self.transport.is_closing() or refusal is None:
                return
            if self.flow.write_paused:  # who asks and asks, and reads nothing
                self.transport.abort()
            elif close:
                self.transport.write(refusal.replace(b"\r\n", b"\r\nconnection: close\r\n", 1))
                self.transport.close()
            else:
                self.transport.write(refusal)
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )

        def _await_head(self) -> None:
            self._size = 0
            self._timer = self.loop.call_later(head_time, self._refuse, 408, "The head of the request came too slowly.")

        def _disarm(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _refuse(self, status: int, said: str) -> None:
            self._disarm()
            if not self.transport.is_closing():
                body = said.encode()
                self.transport.write(
                    STATUS_LINE[status]
                    + b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: "
                    + str(len(body)).encode()
                    + b"\r\n\r\n"
                    + body
                )
                self.transport.close()

    return Limited
