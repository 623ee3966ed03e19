"""What a journal says of a call that a half-open breaker let through."""

from callboard.engine.effect import Attempt
from callboard.resilience.breaker import Phase


def probes(attempt: Attempt, upstream: str) -> None:
    """This attempt is the one by which the breaker of an upstream finds out whether it answers again. That is journaled
    with its outcome, whatever that is; of calls through a closed breaker nothing is."""
    attempt.about = {"breaker": str(Phase.HALF_OPEN), "upstream": upstream}
