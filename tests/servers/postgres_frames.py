"""PostgreSQL's protocol, as far as one must understand it to know where a request and its answer end."""

from collections import deque

from tests.servers.requests import Answered, Asked

_HEADER = 5  # a type byte, and a length that counts itself and what follows
_PLAIN_START = 196_608  # protocol 3.0; 3.1 and later differ in the low half
# What closes the answer to one extended message, by the message's type.
_CLOSES = {b"P": b"1", b"B": b"2", b"C": b"3", b"E": b"CsI"}
_DESCRIBED = b"Tn"


class PostgresFraming:
    """Follows prepared statements and portals, so that an Execute is known by its SQL."""

    def __init__(self) -> None:
        self._to_server = bytearray()
        self._to_client = bytearray()
        self._started = False
        self._authenticated = False
        self._prepared: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}
        self._statements: list[str] = []
        self._closings: list[bytes] = []
        self._open: deque[list[bytes]] = deque()  # of each open request, what must still come

    def asked(self, data: bytes) -> list[Asked]:
        self._to_server += data
        found: list[Asked] = []
        while (message := self._next_message(self._to_server, typed=self._started)) is not None:
            if not self._started:
                self._started = int.from_bytes(message[4:8], "big") >> 16 == _PLAIN_START >> 16
                found.append(Asked(message))
            else:
                found.append(self._read(message))
        return found

    def answered(self, data: bytes) -> list[Answered]:
        self._to_client += data
        found: list[Answered] = []
        while self._started and (message := self._next_message(self._to_client, typed=True)) is not None:
            found.append(self._note(message))
        if not self._started and self._to_client:  # one byte that says whether it speaks TLS
            found.append(Answered(bytes(self._to_client)))
            self._to_client.clear()
        return found

    @staticmethod
    def _next_message(buffer: bytearray, *, typed: bool) -> bytes | None:
        begin = 1 if typed else 0
        if len(buffer) < begin + 4:
            return None
        size = begin + int.from_bytes(buffer[begin : begin + 4], "big")
        if len(buffer) < size:
            return None
        message = bytes(buffer[:size])
        del buffer[:size]
        return message

    def _read(self, message: bytes) -> Asked:
        kind, body = message[:1], message[_HEADER:]
        match kind:
            case b"Q":
                return self._ended(message, "query", [_word(body)[0].decode(errors="replace")], [b"Z"])
            case b"S":
                return self._ended(message, "sync", self._statements, [b"Z"])
            case b"H":
                return self._ended(message, "flush", self._statements, self._closings)
            case b"P":
                name, rest = _word(body)
                self._prepared[name] = _word(rest)[0].decode(errors="replace")
            case b"B":
                portal, rest = _word(body)
                self._portals[portal] = self._prepared.get(_word(rest)[0], "")
            case b"E":
                self._statements.append(self._portals.get(_word(body)[0], ""))
            case b"D":
                self._closings.append(_DESCRIBED)
        if kind in _CLOSES:
            self._closings.append(_CLOSES[kind])
        return Asked(message)

    def _ended(self, message: bytes, kind: str, statements: list[str], closings: list[bytes]) -> Asked:
        request = Asked(message, kind, tuple(statements))
        if closings:
            self._open.append(list(closings))
        self._statements, self._closings = [], []
        # A flush with nothing before it is answered by nothing.
        return request if closings else Asked(message)

    def _note(self, message: bytes) -> Answered:
        kind = message[:1]
        if not self._authenticated:
            self._authenticated = kind == b"Z"
            return Answered(message)
        ends = False
        if self._open and (kind in self._open[0][0] or (kind == b"E" and self._open[0] != [b"Z"])):
            # An error ends a flushed batch: the server skips the rest of it.
            self._open[0] = [] if kind == b"E" else self._open[0][1:]
            ends = not self._open[0]
            if ends:
                self._open.popleft()
        # "Send the data to copy" is half an answer: without it the client never ends its request.
        return Answered(message, ends=ends, pass_on=kind in (b"G", b"W"))


def _word(body: bytes) -> tuple[bytes, bytes]:
    """The text up to the next zero byte, and the rest."""
    word, _, rest = body.partition(b"\0")
    return word, rest
