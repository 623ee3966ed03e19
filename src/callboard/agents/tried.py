"""What the failures of one model call say about its candidates: who failed how, how often, and until when."""

from collections.abc import Sequence
from dataclasses import dataclass

from callboard.domain.errors import Failure
from callboard.domain.kinds import ErrorKind, ErrorRecord

# The same candidate may be asked again after these, when some time has passed.
AGAIN = frozenset(
    {
        ErrorKind.RATE_LIMITED,
        ErrorKind.OVERLOADED,
        ErrorKind.UPSTREAM_DOWN,
        ErrorKind.TIMEOUT,
        ErrorKind.MALFORMED_OUTPUT,
        ErrorKind.INCOMPLETE,
    }
)
# After these only another one. A content filter's word stands: nobody is asked until somebody does not mind.
_ELSEWHERE = frozenset({ErrorKind.QUOTA, ErrorKind.AUTHENTICATION, ErrorKind.CONTEXT_TOO_LONG})


RETRIES = "retries"  # what refused a call that was not made, in its failure's detail as `by`


@dataclass(frozen=True, slots=True)
class Tried:
    """How a candidate fared in this call.

    Attributes:
        kind: of its last failure.
        made: attempts that it failed; those that its gate refused do not count.
        ready: epoch seconds before which it should not be asked again.
        unmade: the last attempt was not made.
        over: it may not be asked again in this call.
        queued: seconds that it waited for room in its upstream's share of retries.
        counted: the last attempt was not made for want of that room.
    """

    kind: ErrorKind
    made: int = 0
    ready: float = 0.0
    unmade: bool = False
    over: bool = False
    queued: float = 0.0
    counted: bool = False

    @property
    def repeats(self) -> bool:
        """To ask it now is a retry, for which its upstream must have room."""
        return self.counted or not self.unmade


_FRESH = Tried(ErrorKind.BUG)


def movable(failure: Failure) -> bool:
    """Whether anybody else, or the same candidate later, may do better."""
    if failure.kind in AGAIN or failure.kind in _ELSEWHERE:
        return True
    return failure.kind is ErrorKind.INVALID_REQUEST and failure.detail.get("made") is False


def tried(failures: Sequence[ErrorRecord]) -> dict[str, Tried]:
    """The candidates that failed, by model; what names no candidate says nothing here.

    A failure's detail has `model`, `made` (False when nobody was asked), `ready`, and `by`, which is RETRIES when there
    was no room in the upstream's share of retries.
    """
    found: dict[str, Tried] = {}
    for failure in failures:
        detail = failure.detail or {}
        model = detail.get("model")
        if model is None:
            continue
        before = found.get(model, _FRESH)
        unmade, counted = detail.get("made") is False, detail.get("by") == RETRIES
        kind = before.kind if counted else ErrorKind(failure.kind)
        ready, waited = float(detail.get("ready", 0.0)), float(detail.get("retry_after", 0.0)) if counted else 0.0
        made, queued = before.made + (not unmade), before.queued + waited
        found[model] = Tried(kind, made, ready, unmade, kind not in AGAIN, queued, counted)
    return found
