"""One call of a tool on its way to the upstream: through the gate, with its retries and its hedge.

A call that a limit refused was not made, and waits: the refusal is journaled as a retry, the run parks, and no attempt
is counted. One that an open breaker refused was not made either, but the upstream is in trouble: that counts as an
attempt, and a fallback stands in at once.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from callboard.agents.probing import probes
from callboard.agents.surroundings import Surroundings
from callboard.domain.errors import BreakerOpen, Failure, RateLimited, ToolFailed, TryLater
from callboard.domain.kinds import ErrorRecord
from callboard.domain.retry import Retry
from callboard.engine.context import Context
from callboard.engine.effect import Attempt
from callboard.resilience.gate import Gate
from callboard.resilience.hedge import hedged
from callboard.resilience.verdict import made
from callboard.tools import SideEffect, Tool, retryable

QUEUE = 600.0  # seconds in all that a call waits for room in limits
_FIRST, _LONGEST = 0.25, 30.0  # seconds between two looks for room, growing, where the limit does not ask for more
_SPREAD = 0.25  # of a wait: so much later at most, so that those who wait for the same thing do not come at once

BREAKER, LIMIT, RETRIES = "breaker", "limit", "retries"  # what refused a call, in its failure's detail as `by`


class Calling:
    """Makes a call's attempts, and says whether there is to be another one.

    Args:
        ctx: the run.
        tool: what is called.
        invoke: calls it once, given the tool as it is to be called in this attempt.
    """

    __slots__ = ("_chance", "_gate", "_invoke", "_monotonic", "_once", "_patience", "_tool")

    def __init__(self, ctx: Context, tool: Tool, invoke: Callable[[Tool, Attempt], Awaitable[Any]]) -> None:
        self._tool = tool
        self._invoke = invoke
        self._gate = Surroundings.of(ctx).upstreams.gate(tool.upstream)
        self._chance = ctx.chance
        self._monotonic = ctx.clock.monotonic
        self._once = tool.effect is SideEffect.ONCE
        self._patience = _patience(self._gate, tool)

    async def run(self, attempt: Attempt) -> Any:
        """Makes one attempt. Raises ToolFailed; with `detail["made"]` False if the call was surely not made."""
        gate = self._gate
        if _repeats(attempt) and not gate.may_retry():
            said = f"retries of {gate.upstream.name} have had their share of its calls"
            raise self._not_made(RateLimited(said, retry_after=_FIRST), RETRIES)
        after = gate.upstream.hedge
        if after is not None and self._tool.effect is SideEffect.READ:
            return await hedged(lambda: self._enter(attempt), after, gate.may_hedge)
        return await self._enter(attempt)

    def again(self, attempt: Attempt, failure: Failure) -> float | None:
        """Seconds until the next attempt, None if there is to be none."""
        # A `once` call is made again only if it did not happen, and then whatever had kept it from happening.
        may = not made(failure) if self._once else isinstance(failure, ToolFailed) and retryable(failure)
        if not may:
            return None
        refused_by = None if made(failure) else failure.detail.get("by")
        if refused_by in (BREAKER, RETRIES) and self._tool.fallback is not None:
            return None
        if refused_by in (LIMIT, RETRIES):
            return self._queue(attempt, failure)
        policy, tries = policy_of(self._tool, self._gate), 1 + sum(map(_counts, attempt.failures))
        if tries >= policy.attempts or not (refused_by or self._gate.upstream.retry_share):
            return None
        wait, chance = policy.wait(tries, self._chance.random()), self._chance.random()
        after = _after(failure.detail)
        return max(wait, after * (1 + _SPREAD * chance) if refused_by else after)

    async def _enter(self, attempt: Attempt) -> Any:
        patience, start_by = self._patience, attempt.start_by
        if start_by is not None:
            patience = max(0.0, min(patience, start_by - self._monotonic()))
        try:
            async with self._gate.enter(patience=patience, target=self._tool.name) as passed:
                if start_by is not None and self._monotonic() >= start_by:
                    # Somebody may be about to ask whether it happened: it must not happen after that.
                    raise RateLimited(f"the gate of {self._gate.upstream.name} opened too late")
                tool = self._tool
                if passed.probe:
                    probes(attempt, self._gate.upstream.name)
                if passed.fault is not None:
                    from callboard.tools.faulty import struck

                    tool = struck(tool, passed.fault, attempt.key)
                return await self._invoke(tool, attempt)
        except TryLater as later:
            raise self._not_made(later, BREAKER if isinstance(later, BreakerOpen) else LIMIT) from later
        except ToolFailed as failure:
            if self._once:
                failure.detail.pop("made", None)  # the word of a call inside it, not of this one
            raise

    def _not_made(self, later: TryLater, refused_by: str) -> ToolFailed:
        detail = {"made": False, "upstream": self._gate.upstream.name, "by": refused_by}
        return ToolFailed(
            f"{self._tool.name} was not called: {later}",
            kind=later.kind,
            detail={**detail, "retry_after": round(later.retry_after, 3)},
        )

    def _queue(self, attempt: Attempt, failure: Failure) -> float | None:
        """Waits for room, ever longer, and not for ever."""
        before = [record.detail for record in attempt.failures if not _counts(record) and record.detail]
        waits = [max(_after(detail), _growing(n)) for n, detail in enumerate([*before, failure.detail])]
        return waits[-1] * (1 + _SPREAD * self._chance.random()) if sum(waits) <= QUEUE else None


def policy_of(tool: Tool, gate: Gate) -> Retry:
    """How a failed call of a tool is repeated: by its own word, else by its upstream's if that is declared.

    Of a `once` call it speaks of those only that were not made.
    """
    if tool.effect is SideEffect.ONCE:
        return gate.upstream.retry
    return gate.upstream.retry if gate.declared and not tool.own_retry else tool.retry


def _patience(gate: Gate, tool: Tool) -> float:
    """Seconds that an attempt waits at the gate. A silence there must not be taken for the tool's."""
    patience = gate.upstream.patience if gate.limited else 0.0
    return patience if tool.heartbeat is None else min(patience, tool.heartbeat / 2)


def _repeats(attempt: Attempt) -> bool:
    """Whether an upstream has had this call already, and no retry has been granted since."""
    if not attempt.failures:
        return False
    detail = attempt.failures[-1].detail or {}
    return detail.get("made") is not False or detail.get("by") not in (LIMIT, BREAKER)


def _counts(record: ErrorRecord) -> bool:
    """Whether a failure was an attempt: it was, unless a limit refused the call."""
    detail = record.detail or {}
    return detail.get("made") is not False or detail.get("by") not in (LIMIT, RETRIES)


def _after(detail: Mapping[str, Any]) -> float:
    found = detail.get("retry_after")
    return float(found) if isinstance(found, int | float) else 0.0


def _growing(n: int) -> float:
    return min(_FIRST * 2.0 ** min(n, 20), _LONGEST)
