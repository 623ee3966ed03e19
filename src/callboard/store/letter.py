"""A message to a run, and the names that messages go by."""

import msgspec

CANCEL = "cancel"
SIGNAL = "signal:"
CHILD = "child:"
DECISION = "decision:"


class Letter(msgspec.Struct, frozen=True):
    """One message. `name` is `signal:NAME`, `child:PATH`, `decision:PATH` or `cancel`; `body` is JSON."""

    seq: int
    name: str
    body: bytes
