"""How a server that was started is known again."""

import msgspec


class Card(msgspec.Struct, frozen=True):
    """What another process needs to know in order to use a server. Holds a password."""

    folder: str
    port: int
    name: str
    password: str

    def __repr__(self) -> str:
        return f"Card({self.name} at port {self.port})"


class ForeignServer(Exception):
    """What answers at the address is not the server that was started there. Nothing was done to it."""


class DidNotStart(Exception):
    """A server's program ended, or took too long, before it could be used."""
