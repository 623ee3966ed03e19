"""Whom an attempt at a model call asks, how long the answer may be, and what is reserved for it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from callboard.agents.lineup import Lineup
from callboard.agents.surroundings import Surroundings
from callboard.agents.talk import Talk
from callboard.agents.tried import Tried, tried
from callboard.domain.budget import Charge
from callboard.domain.errors import Failure, LimitReached, ModelFailed
from callboard.domain.kinds import ErrorKind, ErrorRecord
from callboard.domain.usage import NOTHING, Usage
from callboard.engine.context import Context
from callboard.engine.effect import Attempt
from callboard.models import Ability, Considered, ModelInfo, Price
from callboard.models.asking import Option
from callboard.models.routing import Need, Ranked, View, plan
from callboard.resilience.breaker import Phase
from callboard.resilience.look import Seen

MOST = 16_384  # tokens that an answer may have where neither the agent nor the model says less
_LEAST = 64  # an answer for which the agent's limits leave less room than this is not asked for
_MEDIUM = 4_000  # tokens assumed for an image, a sound or a document
_MILLION = 1_000_000
_QUEUE = 600.0  # seconds in all that a call waits for room in an upstream's share of retries


class Choice(msgspec.Struct, frozen=True, gc=False):
    """Whom to ask, and within which bounds.

    Attributes:
        option: the candidate.
        output: tokens that the answer may have.
        bounded: the agent's limit that makes it so few, "" if none does.
        reserved: tokens and money that the call may come to.
        charges: what it is charged to.
        seconds: how long it may take.
        note: what the journal keeps of the decision.
        considered: the candidates with reasons, the chosen one last; empty if there is only one.
    """

    option: Option
    output: int
    bounded: str
    reserved: Usage
    charges: tuple[Charge, ...]
    seconds: float
    note: dict[str, Any]
    considered: tuple[Considered, ...]


class Chooser:
    """Chooses for the attempts of one call.

    Args:
        ctx: the run.
        talk: what the agent has used so far, and its role.
        line: whom it may ask.
        size: bytes of all that is sent.
        media: how many images, sounds and documents go with it.
        output: tokens that the answer may have; None for what the model allows,
        most: but so many at most.
        abilities: what the model must be able to do.
    """

    __slots__ = (
        "_abilities", "_around", "_bounded", "_charges", "_ctx", "_line", "_media", "_most", "_output", "_prices",
        "_refused", "_size", "_spent", "_talk", "_tokens",
    )  # fmt: skip

    def __init__(
        self,
        ctx: Context,
        talk: Talk,
        line: Lineup,
        size: int,
        media: int,
        output: int | None,
        most: int,
        abilities: frozenset[Ability],
    ) -> None:
        self._ctx = ctx
        self._talk = talk
        self._around = Surroundings.of(ctx)
        self._line = line
        self._size = size
        self._media = media
        self._output = output
        self._most = most
        self._abilities = abilities
        self._charges: tuple[Charge, ...] = ()
        self._tokens = 0
        self._spent = NOTHING
        self._prices: list[Price | None] = []
        self._bounded: dict[str, str] = {}
        self._refused: dict[str, Failure] = {}

    async def choose(self, attempt: Attempt) -> Choice:
        """Whom this attempt asks.

        Raises ModelFailed when nobody can serve the request: CONTEXT_TOO_LONG, INVALID_REQUEST, or why the last one
        failed; LimitReached when the agent's limits leave no room for it.
        """
        ctx, around = self._ctx, self._around
        charges = self._charges = around.charging.of_call(ctx.run, self._talk.role.name, ctx.clock.now())
        strict = bool(charges) and around.charging.strict(charges)
        self._tokens = (self._size if strict else self._size // 3 + 1) + self._media * _MEDIUM
        self._spent = attempt.spent
        self._prices = [None if o is None else await around.prices.find(o.info) for o in self._line.options]
        if not attempt.failures and (lone := self._lone()) is not None:
            return lone
        ranked = self._rank(attempt.failures)
        best = ranked[0]
        if best.out is not None:
            raise self._nobody(ranked)
        option = self._option(best.model)
        if len(ranked) == 1:
            return self._choice(option, best.view.output, best.view.price, ())
        considered = tuple([Considered(each.model, each.reason) for each in (*ranked[1:], best)])
        return self._choice(option, best.view.output, best.view.price, considered)

    def next(self, failures: Sequence[ErrorRecord]) -> float | None:
        """In how many seconds somebody is asked after these failures; None when nobody is left."""
        best = self._rank(failures)[0]
        return None if best.out is not None else best.view.wait

    def _lone(self) -> Choice | None:
        """The one candidate that there is, if nothing speaks against it: what `plan` would say, for less."""
        option = self._line.options[0]
        if option is None or len(self._line.options) > 1 or self._line.ruled:
            return None
        price = self._prices[0]
        output, barred = self._room(option, price)
        window, info = option.info.context, option.info
        if barred is not None or info.lacks(self._abilities) or self._unaffordable(option, price) is not None:
            return None
        if window is not None and self._need_tokens + output > window:
            return None
        return self._choice(option, output, price, ())

    def _choice(self, option: Option, output: int, price: Price | None, considered: tuple[Considered, ...]) -> Choice:
        role, model = self._talk.role, option.candidate.model
        cost = 0 if price is None else price.of(Usage(self._tokens, output))
        note: dict[str, Any] = {"agent": role.name, "model": model}
        if considered:
            note["considered"] = [[each.model, each.reason] for each in considered]
        seconds = min(role.model_timeout, option.gate.upstream.total)
        reserved = Usage(self._tokens, output, cost)
        return Choice(option, output, self._bounded.get(model, ""), reserved, self._charges, seconds, note, considered)

    def _rank(self, failures: Sequence[ErrorRecord]) -> list[Ranked]:
        now, found = self._ctx.clock.now(), tried(failures)
        views = []
        for at, candidate in enumerate(self._line.route.candidates):
            view = self._look(at)
            failed = found.get(candidate.model)
            views.append(view if failed is None else self._after(view, failed, now))
        tier = self._ctx.run.labels.get("tier")
        need = Need(tokens=self._need_tokens, abilities=self._abilities, task=self._talk.role.task, tier=tier)
        return plan(self._line.route, need, views)

    @property
    def _need_tokens(self) -> int:
        """Most text has four bytes or more to a token: the provider has the last word about its window."""
        return self._size // 4 + self._media * _MEDIUM

    def _look(self, at: int) -> View:
        """How a candidate stands, but for what it did in this call."""
        option, candidate = self._line.options[at], self._line.route.candidates[at]
        if option is None:
            why = self._line.unable[candidate.model]
            return View(
                candidate=candidate,
                info=ModelInfo(name=candidate.model),
                barred=(ErrorKind.INVALID_REQUEST, f"cannot be asked here: {why}"),
            )
        price, seen = self._prices[at], option.gate.seen()
        output, barred = self._room(option, price)
        return View(
            candidate=candidate,
            info=option.info,
            output=output,
            price=price,
            wait=self._rest(option, seen),
            open=seen.phase is Phase.OPEN,
            latency=seen.latency,
            barred=barred or self._unaffordable(option, price),
        )

    def _unaffordable(self, option: Option, price: Price | None) -> tuple[ErrorKind, str] | None:
        """Why budgets forbid a candidate, whatever they have left."""
        if not self._charges:
            return None
        try:
            self._around.charging.check(self._charges, option.info, price)
        except ModelFailed as failure:
            self._refused[option.candidate.model] = failure
            return failure.kind, failure.what
        return None

    def _room(self, option: Option, price: Price | None) -> tuple[int, tuple[ErrorKind, str] | None]:
        """How long an answer may be, given what the agent has left."""
        wanted, model, tokens = self._wanted(option), option.candidate.model, self._tokens
        left, money = self._talk.meter.left(self._spent)
        output, reason = wanted, ""
        if left - tokens < output:
            output, reason = left - tokens, "tokens"
        if price is not None and price.of(Usage(tokens, output)) > money:
            rest = money - price.of(Usage(tokens))
            output, reason = (rest * _MILLION // price.output if price.output else -1), "usd"
        self._bounded[model] = reason
        if output < min(wanted, _LEAST):
            return 0, (ErrorKind.LIMIT, f"may cost more than the agent's limit of {reason} leaves")
        return output, None

    def _wanted(self, option: Option) -> int:
        if self._output is not None:
            return self._output
        sizes = [self._most]
        if option.info.max_output is not None:
            sizes.append(option.info.max_output)
        sizes += [max(1, window // 4) for window in (option.candidate.context, option.info.context) if window]
        return min(sizes)

    def _rest(self, option: Option, seen: Seen) -> float:
        """Seconds for which it is better left alone, as far as this process knows."""
        wait = seen.wait
        if rests := self._around.models.rests:
            gate = f"upstream:{option.gate.upstream.name}"
            until = max(rests.get(gate, 0.0), rests.get(option.candidate.model, 0.0))
            wait = max(wait, until - self._ctx.clock.now())
        if seen.phase is Phase.OPEN and wait <= 0.0:
            rules = option.gate.upstream.breaker
            wait = 0.0 if rules is None else rules.open_for
        return wait

    def _after(self, view: View, found: Tried, now: float) -> View:
        """How a candidate stands, with what it did in this call."""
        if view.barred is not None:
            return view
        policy = self._option(view.candidate.model).gate.upstream
        attempts = policy.retry.attempts if policy.retry_share else 1
        if found.over or found.made >= attempts or found.queued > _QUEUE:
            times = f", {found.made} times" if found.made > 1 else ""
            barred = found.kind, f"failed in this call ({found.kind}{times})"
            return msgspec.structs.replace(view, failed=str(found.kind), barred=barred)
        return msgspec.structs.replace(view, failed=str(found.kind), wait=max(0.0, found.ready - now))

    def _option(self, model: str) -> Option:
        return next(o for o in self._line.options if o is not None and o.candidate.model == model)

    def _nobody(self, ranked: Sequence[Ranked]) -> Failure:
        """Why nobody can be asked."""
        outs = {each.out for each in ranked}
        route = self._line.route.name
        reasons = "; ".join(f"{each.model} {each.reason}" for each in ranked)
        detail: dict[str, Any] = {"made": False, "considered": [[each.model, each.reason] for each in ranked]}
        if ErrorKind.CONTEXT_TOO_LONG in outs:
            return ModelFailed(
                f"the conversation is too long: {reasons}",
                kind=ErrorKind.CONTEXT_TOO_LONG,
                detail=detail,
                remedy="declare compact=True on the agent, or a candidate that holds more",
            )
        if ErrorKind.LIMIT in outs:
            if self._refused:
                return next(iter(self._refused.values()))
            name = next(self._bounded[each.model] for each in ranked if each.out is ErrorKind.LIMIT)
            return LimitReached(f"the limit of {name} leaves no room for a model call", detail={"reason": name})
        kind = next((each.out for each in ranked if each.view.failed and each.out is not None), None)
        what = f"no candidate of route {route} can be asked" if route else "the model cannot be asked"
        return ModelFailed(f"{what}: {reasons}", kind=kind or ErrorKind.INVALID_REQUEST, detail=detail)
