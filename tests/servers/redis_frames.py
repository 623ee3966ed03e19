"""Redis's protocol, as far as one must understand it to know where a command and its answer end."""

from tests.servers.requests import Answered, Asked

_BULKS = b"$=!"
_LISTS = {b"*": 1, b"~": 1, b">": 1, b"%": 2, b"|": 2}


class RedisFraming:
    """Each command is a request of its own, also in a pipeline."""

    def __init__(self) -> None:
        self._to_server = bytearray()
        self._to_client = bytearray()

    def asked(self, data: bytes) -> list[Asked]:
        self._to_server += data
        found: list[Asked] = []
        while (end := _end(self._to_server, 0)) is not None:
            message = _take(self._to_server, end)
            words = message.split(b"\r\n")[2::2]
            found.append(Asked(message, "command", (b" ".join(words).decode(errors="replace"),)))
        return found

    def answered(self, data: bytes) -> list[Answered]:
        self._to_client += data
        found: list[Answered] = []
        while (end := _end(self._to_client, 0)) is not None:
            message = _take(self._to_client, end)
            found.append(Answered(message, ends=message[:1] not in b">|"))  # a push answers nobody
        return found


def _take(buffer: bytearray, size: int) -> bytes:
    message = bytes(buffer[:size])
    del buffer[:size]
    return message


def _end(buffer: bytearray, start: int) -> int | None:
    """Where the value that begins at `start` ends; `None` if it has not come entirely."""
    line = buffer.find(b"\r\n", start)
    if line < 0:
        return None
    kind, number = bytes(buffer[start : start + 1]), bytes(buffer[start + 1 : line])
    end: int | None = line + 2
    if kind in _BULKS and int(number) >= 0:
        end = line + 2 + int(number) + 2
        return end if end <= len(buffer) else None
    if kind in _LISTS:
        for _ in range(int(number) * _LISTS[kind]):
            if end is None:
                return None
            end = _end(buffer, end)
    return end
