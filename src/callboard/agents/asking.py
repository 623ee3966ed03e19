"""A model call of an agent: one effect, whose attempts may go to different candidates of its route.

Each attempt looks at the candidates anew, given what failed in this call before: who is asked, who is not and why, and
what is reserved for it, is journaled with its intent. What a failure says of its candidate is journaled too: a process
that takes over plans the same.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from callboard.agents import answers
from callboard.agents.choosing import MOST, Choice, Chooser
from callboard.agents.probing import probes
from callboard.agents.role import Role
from callboard.agents.surroundings import Surroundings
from callboard.agents.talk import Talk
from callboard.agents.tried import AGAIN, RETRIES, movable, tried
from callboard.domain.bill import Bill
from callboard.domain.budget import Refusal
from callboard.domain.errors import Failure, LimitReached, ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Media, Message
from callboard.domain.toolspec import ToolSpec
from callboard.domain.usage import NOTHING, Usage
from callboard.engine.context import Context
from callboard.engine.effect import Attempt, Effect, Outcome, Reservation
from callboard.models import FinishReason, ModelRequest, ModelResponse, RestartDelta
from callboard.models.asking import ask, cost_of_failure, failed
from callboard.models.info import Ability, Price
from callboard.telemetry.metrics import Metrics

_LOOK, _LONGEST_LOOK = 0.25, 30.0  # seconds between two looks for room in an upstream's share of retries
_REST = 300.0  # seconds for which this process goes by somebody's wish to be left alone, at most


class _Response:
    """Loads a stored response."""

    def load(self, value: Any, *, trusted: bool = False) -> ModelResponse:
        return msgspec.convert(value, ModelResponse)


_RESPONSE = _Response()


class Question(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a model is asked, whoever it will be.

    Attributes:
        messages: the conversation.
        size: bytes of all that is sent.
        media: references of what is sent beside it.
        abilities: what the model must be able to do.
        output: tokens that the answer may have; None for what the model and the agent's limits allow,
        most: but so many at most.
        kept: how long an answer to the same question may be taken for this one's; None for never.
    """

    messages: Sequence[Message]
    size: int
    media: tuple[str, ...] = ()
    abilities: frozenset[Ability] = frozenset()
    output: int | None = None
    most: int = MOST
    tools: tuple[ToolSpec, ...] = ()
    schema: dict[str, Any] | None = None
    temperature: float | None = None
    reasoning: str | None = None
    turn: int = 0
    kept: answers.Cache | None = None
    whys: Sequence[str] = ()

    def request(self, attempt: int = 1, output: int | None = None) -> ModelRequest:
        """As a model gets it, without the bytes of its media."""
        return ModelRequest(
            messages=tuple(self.messages),
            tools=self.tools,
            output_schema=self.schema,
            max_output_tokens=self.output if output is None else output,
            temperature=self.temperature,
            reasoning=self.reasoning,
            turn=self.turn,
            attempt=attempt,
        )


async def ask_model(ctx: Context, talk: Talk) -> ModelResponse:
    """Calls the model with the conversation so far, and adds its answer to it.

    The intent before each attempt reserves what it may come to; one whose outcome never came is charged in full.

    Raises:
        ModelFailed: all that could be asked have failed, or none can serve the request; `kind` says how.
        LimitReached: the agent's tokens or money, or a budget, leaves no room for the call; without `partial`.
    """
    role, conversation = talk.role, talk.conversation
    call = ModelCall(ctx, talk, lambda: _question(talk), role.model, role.route)
    outcome = await call.make("model", conversation.digest)
    response: ModelResponse = outcome.value
    conversation.add(response.message, b"model", why="what the model answered before")
    conversation.assistant_turns += 1
    _check_finish(response, outcome.path)
    return response


class ModelCall:
    """One call and its attempts.

    Args:
        ctx: the run.
        talk: what the agent has used so far, and its role.
        question: what is asked; only looked at when somebody really is.
        model: whom to ask,
        route: or by which route.
    """

    __slots__ = ("_choice", "_chooser", "_ctx", "_make", "_model", "_question", "_route", "_talk")

    def __init__(
        self, ctx: Context, talk: Talk, question: Callable[[], Question], model: Any, route: str | None
    ) -> None:
        self._ctx = ctx
        self._talk = talk
        self._make = question
        self._model = model
        self._route = route
        self._question: Question | None = None
        self._chooser: Chooser | None = None
        self._choice: Choice | None = None

    async def make(self, name: str, asked: bytes) -> Outcome:
        """Makes the call as an effect of that name, and counts what it used. Raises ModelFailed, LimitReached."""
        meter = self._talk.meter
        if (lens := Surroundings.of(self._ctx).lens) is not None:
            asked_of = self._route or str(self._model)
            lens.see(
                f"{self._ctx.next_place}:{name}", self._talk.role, asked_of, self._asked.request(), self._asked.whys
            )
        effect = Effect(
            self._run,
            failure=_failure,
            again=self._again,
            known=None if self._talk.role.cache is None else self._known,
            reserve=self._reserve,
            refused=self._refused,
            spent=cost_of_failure,
            sort="model",
            bill=self._bill,
            shape=_RESPONSE,
        )
        try:
            outcome: Outcome = await self._ctx.effect(name, asked, effect, full=True)
        except ModelFailed as failure:
            if charged := failure.detail.get("charged"):
                meter.usage += msgspec.convert(charged, Usage)
            raise
        meter.turns += 1
        meter.usage += outcome.value.usage + outcome.lost
        return outcome

    async def _reserve(self, attempt: Attempt) -> Reservation:
        """Chooses whom to ask. Raises ModelFailed when nobody can serve, LimitReached when there is no room."""
        choice = self._choice = await self._choosing.choose(attempt)
        return Reservation(choice.reserved, choice.charges, choice.seconds, choice.note)

    async def _run(self, attempt: Attempt) -> ModelResponse:
        choice, ctx, path = self._choice, self._ctx, attempt.path
        assert choice is not None
        option = choice.option
        why = attempt.failures[-1] if attempt.failures else None
        if attempt.resumed or (why is not None and (why.detail or {}).get("streamed")):
            said = "the process that was asking is gone" if why is None or attempt.resumed else why.kind
            ctx.delta(path, RestartDelta(said, option.candidate.model))
        question = self._asked
        request = question.request(attempt.number, choice.output)
        metrics, clock, name = ctx.carried(Metrics), ctx.clock, option.candidate.model
        begun = clock.monotonic()
        try:
            self._take_share(attempt, choice)
            if question.media:
                request = msgspec.structs.replace(request, media=await self._load(question.media))
            response = await ask(
                option,
                request,
                tokens=choice.reserved.tokens,
                timeout=self._talk.role.model_timeout,
                prices=Surroundings.of(ctx).prices,
                watch=lambda delta: ctx.delta(path, delta),
                key=attempt.key,
                began=lambda seconds: metrics.first_token(name, seconds),
                probing=lambda upstream: probes(attempt, upstream),
            )
        except Failure as failure:
            self._note(attempt, failure, choice)
            raise
        metrics.answer(name, clock.monotonic() - begun, response.usage)
        if choice.considered or (choice.bounded and response.finish is FinishReason.LENGTH):
            bounded = choice.bounded if response.finish is FinishReason.LENGTH else ""
            response = msgspec.structs.replace(response, route=choice.considered, bounded=bounded)
        if question.kept is not None:
            await answers.keep(Surroundings.of(ctx).answers, ctx, self._key(question), response)
        return response

    def _take_share(self, attempt: Attempt, choice: Choice) -> None:
        """Raises ModelFailed, not made, when the same candidate is asked again and retries have had their share."""
        model, gate = choice.option.candidate.model, choice.option.gate
        before = tried(attempt.failures).get(model) if attempt.failures else None
        if before is None or not before.repeats or gate.may_retry():
            return
        wait = max(_LOOK, min(before.queued, _LONGEST_LOOK)) * (1 + self._ctx.chance.random() / 4)
        raise ModelFailed(
            f"retries of {gate.upstream.name} have had their share of its calls; {model} had failed ({before.kind})",
            kind=ErrorKind.RATE_LIMITED,
            detail={"made": False, "model": model, "by": RETRIES, "retry_after": wait},
        )

    async def _known(self, attempt: Attempt) -> ModelResponse | None:
        question = self._asked
        if question.kept is None:
            return None
        around = Surroundings.of(self._ctx)
        return await answers.known(around.answers, self._ctx, question.kept, self._key(question))

    def _again(self, attempt: Attempt, failure: Failure) -> float | None:
        """Seconds until the next candidate, or the same one once more, is asked; None when nobody is left."""
        if movable(failure) and "model" in failure.detail:
            wait = self._choosing.next([*attempt.failures, failure.record()])
            if wait is not None:
                return wait
        if attempt.spent != NOTHING:  # this attempt's cost is in it
            failure.detail["charged"] = msgspec.to_builtins(attempt.spent)
        return None

    def _bill(self, result: Any) -> Bill:
        """What an answer cost, and what it would have cost if nothing had been kept."""
        usage, agent = msgspec.convert(result.get("usage", []), Usage), self._talk.role.name
        choice, cached, price = self._choice, result.get("cached"), result.get("price")
        if choice is None or cached:
            saved = msgspec.convert(result.get("saved") or [], Usage)
            return Bill(usage, agent, self._answerer(result), 0, 0, saved.cost)
        by_provider = 0
        if price is not None and (usage.cached_tokens or usage.written_tokens):
            known = msgspec.convert(price, Price)
            by_provider = known.of(msgspec.structs.replace(usage, cached_tokens=0, written_tokens=0)) - known.of(usage)
        return Bill(usage, agent, choice.option.candidate.model, 1, by_provider)

    def _answerer(self, result: Any) -> str:
        """Who gave an answer that was kept: the last of the candidates that were looked at, or the only one."""
        if route := result.get("route"):
            return str(route[-1]["model"])
        return self._talk.line(self._ctx, self._model, self._route).route.candidates[0].model

    def _refused(self, refusal: Refusal) -> LimitReached:
        return Surroundings.of(self._ctx).charging.refused(refusal, agent=self._talk.role.name)

    def _note(self, attempt: Attempt, failure: Failure, choice: Choice) -> None:
        """Writes into a failure when its candidate may be asked again, and remembers who wants to be left alone."""
        detail, now = failure.detail, self._ctx.clock.now()
        after = detail.get("retry_after")
        after = float(after) if isinstance(after, int | float) else 0.0
        model, gate = choice.option.candidate.model, choice.option.gate
        unmade = detail.get("made") is False
        if "ready" not in detail and failure.kind in AGAIN:
            before = tried(attempt.failures).get(model)
            made = 1 if before is None else before.made + 1
            wait = 0.0 if unmade else gate.upstream.retry.wait(made, self._ctx.chance.random())
            detail["ready"] = now + max(wait, after)
        if after and detail.get("by") != RETRIES:
            rests = Surroundings.of(self._ctx).models.rests
            rests[f"upstream:{gate.upstream.name}" if unmade else model] = now + min(after, _REST)

    async def _load(self, media: Sequence[str]) -> dict[str, bytes]:
        return {ref: await self._ctx.blob(ref.removeprefix("blob:")) for ref in media if ref.startswith("blob:")}

    def _key(self, question: Question) -> bytes:
        return answers.key_of(question.request(), self._route or str(self._model), self._talk.role.release)

    @property
    def _asked(self) -> Question:
        if self._question is None:
            self._question = self._make()
        return self._question

    @property
    def _choosing(self) -> Chooser:
        if self._chooser is None:
            q = self._asked
            line = self._talk.line(self._ctx, self._model, self._route)
            self._chooser = Chooser(self._ctx, self._talk, line, q.size, len(q.media), q.output, q.most, q.abilities)
        return self._chooser


def _question(talk: Talk) -> Question:
    role, conversation = talk.role, talk.conversation
    media = conversation.media
    return Question(
        messages=conversation.messages,
        size=conversation.size + role.equipment,
        media=tuple([part.ref for part in media]) if media else (),
        abilities=_abilities(role, media) if media else role.abilities,
        output=role.max_output_tokens,
        tools=role.specs,
        schema=role.output.schema,
        temperature=role.temperature,
        reasoning=role.reasoning,
        turn=conversation.assistant_turns,
        kept=role.cache,
        whys=conversation.whys,
    )


def _abilities(role: Role, media: Sequence[Media]) -> frozenset[Ability]:
    images = any(part.media_type.startswith("image/") for part in media)
    return role.abilities | {Ability.IMAGES} if images else role.abilities


def _check_finish(response: ModelResponse, path: str) -> None:
    """An answer that is no whole answer fails the turn; a requeue asks the model again."""
    match response.finish:
        case FinishReason.LENGTH if response.bounded:
            detail = {"reason": response.bounded}
            raise LimitReached(f"the answer was cut at the limit of {response.bounded}", path=path, detail=detail)
        case FinishReason.LENGTH:
            raise ModelFailed(
                "the model's answer was cut at its output limit",
                kind=ErrorKind.MALFORMED_OUTPUT,
                path=path,
                remedy="raise max_output_tokens, or ask for less",
            )
        case FinishReason.CONTENT_FILTER | FinishReason.REFUSAL:
            said = response.message.text[:200]
            kind = ErrorKind.CONTENT_FILTERED
            raise ModelFailed(f"the model refused: {said or response.finish}", kind=kind, path=path)
        case FinishReason.ERROR:  # of a run that an earlier version has recorded: such an answer is a failure now
            raise ModelFailed("the model ended with an error", kind=ErrorKind.UPSTREAM_DOWN, path=path)
        case _:
            return


def _failure(error: BaseException, path: str) -> Failure:
    return failed(error) if isinstance(error, Exception) else ModelFailed(repr(error), kind=ErrorKind.BUG)
