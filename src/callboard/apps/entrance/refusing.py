"""The answer to a request that is sent away before anything is made of it: written beforehand, all but its id."""

import logging
from collections.abc import Callable, Iterable
from functools import lru_cache

from callboard.apps.entrance.crowd import BACK, REMEDY
from callboard.apps.entrance.frame import REQUEST_ID, Header, Observe, data_headers
from callboard.apps.entrance.problems import problem
from callboard.apps.entrance.turns import LET_IN, Turns

_access = logging.getLogger("callboard.access")
_STATUS = 429
_HOLE = "~id~"  # where the request's id belongs


class Refusing:
    """Says of a request whose head has come whether it is sent away, and with what.

    Nobody's key has been looked at then, nothing of the body read, and no task begun: who refuses thousands a second
    must have time left for those that are let in.

    Args:
        turns: who is let in.
        new_id: makes ids of requests.
        observe: told of each answer: method, route, status, and seconds until it began.
        secure: clients reach this by https only.
    """

    def __init__(self, turns: Turns, new_id: Callable[[], str], observe: Observe, secure: bool) -> None:
        self._turns = turns
        self._new_id = new_id
        self._observe = observe
        self._written = lru_cache(maxsize=8)(lambda why: _written(why, data_headers(secure)))

    def answer(self, method: str, path: bytes, headers: Iterable[Header]) -> bytes | None:
        """The whole answer; None for a request that is let in, as are those that take an answer without a body."""
        if (why := self._turns.refusal()) is None or method == "HEAD" or path.decode("ascii", "replace") in LET_IN:
            return None
        request_id = self._request_id(headers)
        self._observe(method, "other", _STATUS, 0.0)
        if _access.isEnabledFor(logging.INFO):
            shown = path.decode("ascii", "backslashreplace")[:500]
            _access.info("%s %s %d sent away request=%s", method, shown, _STATUS, request_id)
        head, before, after = self._written(why)
        told = request_id.encode()
        length = len(before) + len(told) + len(after)
        return b"%bcontent-length: %d\r\nx-request-id: %b\r\n\r\n%b%b%b" % (head, length, told, before, told, after)

    def _request_id(self, headers: Iterable[Header]) -> str:
        for name, value in headers:
            if name == b"x-request-id" and REQUEST_ID.fullmatch(text := value.decode("latin-1")):
                return text
        return self._new_id()


def _written(why: str, headers: Iterable[Header]) -> tuple[bytes, bytes, bytes]:
    """The head but for what goes with the id, and the body before and behind it."""
    made = problem(None, "overloaded", why, remedy=REMEDY, headers={"Retry-After": BACK}, instance=_HOLE)
    before, _, after = bytes(made.body).partition(_HOLE.encode())
    kept = [(name, value) for name, value in made.raw_headers if name != b"content-length"]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in (*kept, *headers))
    return b"HTTP/1.1 429 Too Many Requests\r\n" + lines, before, after
