"""The root of all errors of Callboard. The tree is drawn in callboard.domain.errors."""

from typing import ClassVar

from callboard.domain.kinds import ErrorKind, ErrorRecord


class CallboardError(Exception):
    """Something went wrong in or around Callboard.

    Args:
        what: one line, what happened.
        why: one line, why.
        remedy: one line, what to do about it.
    """

    code: ClassVar[str] = "callboard"
    kind: ErrorKind = ErrorKind.BUG

    def __init__(self, what: str, *, why: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        return "; ".join(part for part in (self.what, self.why, self.remedy) if part)

    def record(self) -> ErrorRecord:
        """This error as it is stored and shown."""
        return ErrorRecord(self.code, str(self.kind), str(self))
