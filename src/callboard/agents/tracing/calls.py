"""Spans of effects: a span for each attempt at a model call, a tool call or a step, and one for each wait."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec

from callboard.agents.tracing.content import Content
from callboard.agents.tracing.effects import Answer, Attempt, Effect, decode_done
from callboard.agents.tracing.installed import Installed
from callboard.domain.error_classes import class_of
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorRecord
from callboard.domain.message import Message, ToolCall
from callboard.domain.run import Run
from callboard.domain.usage import NOTHING, Usage
from callboard.models.conventional import conventional
from callboard.telemetry import genai
from callboard.telemetry.span import Link, Shared, Span, SpanEvent, SpanKind, Value
from callboard.telemetry.trace import TraceContext, effect_of, run_span, span_of

_VALUES = frozenset({"now", "random", "uuid", "label", "timeout", "race"})  # nothing that takes time of its own
_FALLBACK = ".fallback"
_NOBODYS = "invented"
_INVENTED = f"{genai.EXECUTE_TOOL} {_NOBODYS}"


# What a span is called, who is on its other side, its own facts, and those that it shares.
Made: TypeAlias = tuple[str, SpanKind, dict[str, Value], *tuple[Shared, ...]]


class Said(msgspec.Struct):
    """What the events around a call say about it: who asked it, with which call of a model, what a model was told."""

    agent: str = ""
    call: ToolCall | None = None
    before: tuple[Message, ...] = ()


class Calls:
    """Makes the spans of one part of a run's effects."""

    def __init__(
        self,
        run: Run,
        context: TraceContext,
        installed: Installed,
        content: Content,
        shared: Shared,
    ) -> None:
        self._run = run
        self._context = context
        self._installed = installed
        self._content = content
        self._shared = shared

    def spans(self, effect: Effect, parent: str, said: Said) -> list[Span]:
        """One for each attempt, below `parent`. None for what is nothing but a value."""
        if effect.asks_model:
            make = self._chat
        elif said.call is not None or effect.name.removesuffix(_FALLBACK) in self._installed.tools:
            make = self._tool  # also one that a model invented
        elif not self._lasts(effect):
            return []
        else:
            make = self._other
        return [self._span(effect, attempt, parent, *make(effect, attempt, said)) for attempt in effect.attempts]

    def cost(self, facts: dict[str, Value], usage: Usage) -> None:
        """Writes what was used; nothing for what used nothing."""
        if usage == NOTHING:
            return
        facts[genai.INPUT_TOKENS] = usage.input_tokens
        facts[genai.OUTPUT_TOKENS] = usage.output_tokens
        if usage.cached_tokens:
            facts[genai.CACHE_READ_TOKENS] = usage.cached_tokens
        if usage.written_tokens:
            facts[genai.CACHE_WRITE_TOKENS] = usage.written_tokens
        if usage.reasoning_tokens:
            facts[genai.REASONING_TOKENS] = usage.reasoning_tokens
        facts[genai.COST] = usage.cost / 1_000_000

    def failure(self, facts: dict[str, Value], error: ErrorRecord) -> str:
        """Writes the kind of a failure, and returns it in words. Words may quote what was said."""
        facts[genai.ERROR_TYPE] = error.kind or "_OTHER"
        facts[genai.ERROR_CLASS] = str(class_of(error.kind))
        return self._content.words(error.message) if self._content.on else error.code

    def _lasts(self, effect: Effect) -> bool:
        name = effect.name
        if name in _VALUES or name.startswith("limit "):
            return effect.last.error is not None and not name.startswith("limit ")
        last = effect.last
        return last.intent is not None or last.end > last.start or last.error is not None or len(effect.attempts) > 1

    def _span(
        self,
        effect: Effect,
        attempt: Attempt,
        parent: str,
        name: str,
        kind: SpanKind,
        facts: dict[str, Value],
        *shared: Shared,
    ) -> Span:
        context = effect_of(self._context, self._run.id, effect.path, attempt.number, attempt.since)
        if attempt.lost:
            context = span_of(context, f"lost {effect.path} {attempt.start}")
        unsaid = name == _INVENTED and not self._content.on
        facts[genai.PATH] = effect.place if unsaid else effect.path
        if attempt.number > 1:
            facts[genai.ATTEMPT] = attempt.number
        intent, error = attempt.intent, None
        if attempt.error is not None:
            error = self.failure(facts, attempt.error)
        return Span(
            context=context,
            parent=parent,
            name=name,
            kind=kind,
            start=attempt.start * 1000,
            end=(attempt.end if attempt.end > attempt.start else attempt.start) * 1000,
            attributes=facts,
            shared=(*shared, self._shared),
            events=_happenings(attempt),
            links=() if intent is None or not intent.run_id else _links(effect, intent.run_id, context),
            error=error,
        )

    def _chat(self, effect: Effect, attempt: Attempt, said: Said) -> Made:
        answer = effect.answer if attempt is effect.last else None
        intent = attempt.intent
        note = intent.note if intent is not None and isinstance(intent.note, dict) else {}
        asked = str(note.get("model") or _detail(attempt).get("model") or ("" if answer is None else answer.model))
        agent, whose = str(note.get("agent") or said.agent), "" if answer is None else answer.provider
        shared = self._installed.said(("chat", asked, agent, whose), self._of_chat)
        facts: dict[str, Value] = {}
        if intent is not None and intent.reserved is not None and len(intent.reserved) > 1:
            facts[genai.MAX_TOKENS] = intent.reserved[1]
        if answer is not None:
            self._answered(facts, answer)
        if self._content.on and said.before:
            facts[genai.INPUT_MESSAGES] = self._content.messages(said.before)
        known = shared.facts
        kind = SpanKind.INTERNAL if known[genai.PROVIDER] == genai.NOBODY else SpanKind.CLIENT
        return f"{genai.CHAT} {known[genai.REQUEST_MODEL]}", kind, facts, shared

    def _of_chat(self, asked: str, agent: str, whose: str) -> dict[str, Value]:
        named, colon, model = asked.partition(":")
        facts: dict[str, Value] = {
            genai.OPERATION: genai.CHAT,
            genai.PROVIDER: conventional(whose or (named if colon else "")) or genai.NOBODY,
            genai.REQUEST_MODEL: model or asked or "unknown",
        }
        if agent:
            facts[genai.AGENT_NAME] = agent
        role = self._installed.roles.get(agent)
        if role is not None:
            facts[genai.OUTPUT_TYPE] = "text" if role.output.schema is None else "json"
            if role.temperature is not None:
                facts[genai.TEMPERATURE] = role.temperature
        return facts

    def _answered(self, facts: dict[str, Value], answer: Answer) -> None:
        facts[genai.FINISH_REASONS] = (answer.finish,)
        if answer.model:
            facts[genai.RESPONSE_MODEL] = answer.model
        if answer.id:
            facts[genai.RESPONSE_ID] = answer.id
        if answer.cached:
            facts[genai.KEPT_ANSWER] = True
        self.cost(facts, answer.usage)
        if self._content.on:
            facts[genai.OUTPUT_MESSAGES] = self._content.messages((answer.message,), answer.finish)

    def _tool(self, effect: Effect, attempt: Attempt, said: Said) -> Made:
        name = effect.name.removesuffix(_FALLBACK)
        if name not in self._installed.tools and attempt.error is not None and attempt.error.kind == "unknown_tool":
            name = _NOBODYS  # a model may make up any name, with anything in it
        shared = self._installed.said(("tool", name, said.agent), self._of_tool)
        facts: dict[str, Value] = {}
        if said.call is not None:
            facts[genai.TOOL_CALL_ID] = said.call.id
        if effect.name.endswith(_FALLBACK):
            facts[genai.HANDLING] = "fallback"
        if self._content.on:
            self._exchanged(facts, effect, attempt, said)
        return f"{genai.EXECUTE_TOOL} {name}", SpanKind.INTERNAL, facts, shared

    def _of_tool(self, name: str, agent: str) -> dict[str, Value]:
        facts: dict[str, Value] = {
            genai.OPERATION: genai.EXECUTE_TOOL,
            genai.TOOL_NAME: name,
            genai.TOOL_TYPE: "function",
        }
        tool = self._installed.tools.get(name)
        if tool is not None:
            facts[genai.EFFECT] = str(tool.effect)
            if tool.description:
                facts[genai.TOOL_DESCRIPTION] = tool.description
        if agent:
            facts[genai.AGENT_NAME] = agent
        return facts

    def _exchanged(self, facts: dict[str, Value], effect: Effect, attempt: Attempt, said: Said) -> None:
        """What a tool or a step was asked with, and what it answered."""
        asked = b"" if attempt.intent is None else bytes(attempt.intent.asked)
        event = attempt.outcome
        if event is not None and event.kind is EventKind.DONE:
            done = decode_done(event.body)
            facts[genai.TOOL_RESULT] = self._content.data(bytes(done.result))
            asked = bytes(done.asked) or asked
        if asked:
            facts[genai.TOOL_ARGUMENTS] = self._content.data(asked)
        elif said.call is not None:
            facts[genai.TOOL_ARGUMENTS] = self._content.arguments(said.call)

    def _other(self, effect: Effect, attempt: Attempt, said: Said) -> Made:
        verb, _, rest = effect.name.partition(" ")
        facts: dict[str, Value] = {}
        if verb in ("wait", "ask", "sleep", "result"):
            facts[genai.WAITED_FOR] = {"ask": "a person", "sleep": "a time", "result": "a child run"}.get(verb, rest)
            return verb, SpanKind.INTERNAL, facts
        if verb == "spawn":
            facts[genai.FLOW] = rest
            return f"spawn {rest}", SpanKind.INTERNAL, facts
        if verb == "undo":
            return f"undo {rest}", SpanKind.INTERNAL, facts
        tool, dot, handling = effect.name.rpartition(".")
        if dot and tool in self._installed.tools:
            facts[genai.HANDLING] = handling
            return f"handle {tool}", SpanKind.INTERNAL, facts
        event = attempt.outcome
        if self._content.on and event is not None and event.kind is EventKind.DONE:
            facts[genai.OUTPUT] = self._content.data(bytes(decode_done(event.body).result))
        return f"step {effect.name}", SpanKind.INTERNAL, facts


def _happenings(attempt: Attempt) -> tuple[SpanEvent, ...]:
    """Who was considered, what refused, and when it is tried again."""
    note = attempt.intent.note if attempt.intent is not None else None
    if attempt.error is None and (note is None or "considered" not in note):
        return ()
    return tuple(_told(attempt, note))


def _told(attempt: Attempt, note: Any) -> Iterator[SpanEvent]:
    considered = note.get("considered") if isinstance(note, dict) else None
    if considered:
        texts = tuple(f"{model}: {reason}" for model, reason in considered)
        yield SpanEvent("callboard.route", attempt.start * 1000, {"callboard.route.considered": texts})
    detail = _detail(attempt)
    if detail.get("made") is False:
        refused: dict[str, Value] = {"callboard.refused_by": str(detail.get("by") or "upstream")}
        if upstream := detail.get("upstream"):
            refused["callboard.upstream"] = str(upstream)
        yield SpanEvent("callboard.refused", attempt.end * 1000, refused)
    if attempt.again:
        wait = max(0.0, attempt.again - attempt.end / 1e6)
        yield SpanEvent("callboard.retry", attempt.end * 1000, {"callboard.retry.wait_seconds": wait})


def _links(effect: Effect, child: str, context: TraceContext) -> tuple[Link, ...]:
    """To the child that a spawn has started."""
    if not effect.name.startswith("spawn "):
        return ()
    return (Link(run_span(child, context.header), {genai.RUN_ID: child}),)


def _detail(attempt: Attempt) -> dict[str, Any]:
    return {} if attempt.error is None else attempt.error.detail or {}
