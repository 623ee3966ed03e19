"""What a client asked of a server, as a fault proxy sees it."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent before it waited for an answer.

    `kind`: `query` (a simple query), `sync` and `flush` (a batch of PostgreSQL's extended messages, by what ends it),
    or `command` (Redis). `statements`: what the server is asked to carry out; preparing carries out nothing.
    """

    number: int
    connection: int
    kind: str
    statements: tuple[str, ...]


def executes(request: Request) -> bool:
    """Whether anything is carried out by this request."""
    return bool(request.statements)


def commits(request: Request) -> bool:
    """Whether a transaction that was begun by BEGIN is committed by this request."""
    words = [statement.split(None, 1)[0].rstrip(";").upper() for statement in request.statements if statement.strip()]
    return any(word in ("COMMIT", "END") for word in words)


@dataclass(frozen=True, slots=True)
class Asked:
    """Bytes on their way to the server; with `kind`, the last of a request."""

    data: bytes
    kind: str | None = None
    statements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """Bytes on their way to the client. `ends`: the oldest open request is answered. `pass_on`: never swallow them."""

    data: bytes
    ends: bool = False
    pass_on: bool = False


class Framing(Protocol):
    """One connection's bytes, cut into messages. Bytes that are not a whole message yet are kept back."""

    def asked(self, data: bytes) -> list[Asked]: ...

    def answered(self, data: bytes) -> list[Answered]: ...
