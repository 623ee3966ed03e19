"""What unwinds the coroutine of a flow. None of it is a failure.

They derive from BaseException, so that `except Exception` in a flow cannot swallow them: `Cancelled` (the run
or branch is being cancelled: clean up, then let it go on), `Parked` (the run waits; its coroutine is dropped
and will be replayed) and `ContinueAsNew` (the run begins anew).
"""


class Suspension(BaseException):
    """Unwinds a flow's coroutine. Let it pass: only `finally` and `__aexit__` should see it."""


class Parked(Suspension):
    """The run waits, was handed back, or lost its lease: this coroutine ends here and is replayed later.

    Effects requested while it unwinds are refused with this same exception and journal nothing.
    """

    def __init__(self, why: str = "the run waits") -> None:
        super().__init__(
            f"{why}: its coroutine is dropped here and replayed later. Do not catch BaseException in a flow, "
            "and request no effects in `finally`."
        )


class ContinueAsNew(Suspension):
    """The run begins anew with another input, `body` as JSON."""

    def __init__(self, body: bytes) -> None:
        super().__init__("the run begins anew: let this pass")
        self.body = body


class Cancelled(Suspension):
    """The run (or this branch of it) is being cancelled. Clean up with effects if needed, then let it go on.

    `begun` says whether the effect that was told so may have happened already.
    """

    def __init__(self, why: str = "cancelled", *, begun: bool = False) -> None:
        super().__init__(why)
        self.begun = begun
