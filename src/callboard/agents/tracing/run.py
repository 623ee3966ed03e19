"""A run and its journal as spans: the run, the agents in it, and what these did."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from callboard.agents.tracing.calls import Calls, Said
from callboard.agents.tracing.content import Content, user
from callboard.agents.tracing.effects import Effect, Part, decode_done, last_part
from callboard.agents.tracing.installed import Installed
from callboard.domain.event import Event, EventKind
from callboard.domain.kinds import ErrorRecord
from callboard.domain.message import Message, Role, ToolCall, ToolResult
from callboard.domain.run import Run
from callboard.domain.usage import NOTHING, Usage
from callboard.models.conventional import conventional
from callboard.telemetry import genai
from callboard.telemetry.span import Link, Shared, Span, Value
from callboard.telemetry.trace import TraceContext, read_parent, run_span, span_of

_FAILED = frozenset({EventKind.RUN_FAILED, EventKind.RUN_DEAD})
_AS_IT_ENDED = {
    EventKind.RUN_SUCCEEDED: "succeeded",
    EventKind.RUN_FAILED: "failed",
    EventKind.RUN_CANCELLED: "cancelled",
    EventKind.RUN_DEAD: "dead",
    EventKind.CONTINUED: "renewed",
}
_error = msgspec.json.Decoder(ErrorRecord).decode
_LIMIT = "limit "  # how agents name the effect in which they note that they were stopped


class _Agent(msgspec.Struct):
    """One turn of an agent within a run: what stands below one place."""

    scope: str
    name: str
    context: TraceContext
    effects: list[Effect] = []
    usage: Usage = NOTHING
    model: str = ""
    provider: str = genai.NOBODY


def spans_of(
    run: Run,
    events: Sequence[Event],
    installed: Installed,
    content: Content,
    *,
    kept: str = "share",
    renewed: bool = False,
) -> list[Span]:
    """The spans of the last part of a run: the run's own first. Pure.

    Args:
        run: its row.
        events: its journal, to the event that ended the part.
        installed: the program that it is a run of.
        content: what may be told of what was said.
        kept: why it is told.
        renewed: the last event is that with which it began anew: it tells of the part before.
    """
    ending = events[-1]
    part = last_part(events[:-1] if renewed else events)
    if renewed:
        part.end = ending
    return _Telling(run, part, installed, content).spans(kept)


class _Telling:
    def __init__(self, run: Run, part: Part, installed: Installed, content: Content) -> None:
        self._run = run
        self._part = part
        self._installed = installed
        self._content = content
        self._context = run_span(run.id, run.trace, part.since)
        facts: dict[str, Value] = {genai.RUN_ID: run.id}
        if session := run.labels.get("session"):
            facts[genai.CONVERSATION] = session
        self._shared = Shared(facts)
        self._calls = Calls(run, self._context, installed, content, self._shared)
        self._agents: dict[str, _Agent] = {}

    def spans(self, kept: str) -> list[Span]:
        """All of them."""
        run, part = self._run, self._part
        self._find_agents()
        scopes = sorted(self._agents, key=len, reverse=True)
        alone: list[Effect] = []
        below = [(f"{each}/", self._agents[each].effects) for each in scopes]
        for effect in part.effects:
            for prefix, effects in below:
                if effect.place.startswith(prefix):
                    effects.append(effect)
                    break
            else:
                alone.append(effect)
        own = self._agents.get("0")
        as_agent = run.flow in self._installed.roles or (own is not None and own.name == run.flow)
        if as_agent and own is not None and own.name == run.flow:
            own.context = self._context
        found: list[Span] = []
        for agent in self._agents.values():
            inner = self._of_agent(agent)
            if agent.context is not self._context:
                found.append(self._agent_span(agent, scopes))
            found += inner
        for effect in alone:
            found += self._calls.spans(effect, self._context.span_id, Said())
        return [self._run_span(kept, own if as_agent else None, as_agent), *found]

    def _find_agents(self) -> None:
        for effect in self._part.effects:
            if not effect.asks_model:
                continue
            scope = _scope(effect.place)
            if scope and scope not in self._agents:
                notes = [a.intent.note for a in effect.attempts if a.intent is not None and a.intent.note]
                name = str((notes[0] if notes else {}).get("agent") or self._run.flow)
                context = span_of(self._context, f"{self._run.id} {self._part.since} agent {scope}")
                self._agents[scope] = _Agent(scope, name, context)

    def _of_agent(self, agent: _Agent) -> list[Span]:
        """Its effects, in the order of its turns: what a model asks for is done next."""
        found: list[Span] = []
        open_calls: dict[str, list[ToolCall]] = defaultdict(list)
        news: list[Message] = []
        if self._content.on and agent.context is self._context:
            news.append(user(self._part.begin.body))
        results: list[ToolResult] = []
        # What runs side by side is journaled as it ends.
        straight = len({effect.place.count("/") for effect in agent.effects if effect.name != "timeout"}) == 1
        for effect in agent.effects if straight else sorted(agent.effects, key=lambda each: each.order):
            said = Said(agent.name)
            if effect.asks_model:
                if results:
                    news.append(Message(Role.TOOL, tuple(results)))
                said.before, news, results = tuple(news), [], []
                answer = effect.answer
                if answer is not None:
                    agent.usage += answer.usage
                    agent.model, agent.provider = answer.model, conventional(answer.provider) or genai.NOBODY
                    open_calls.clear()
                    for call in answer.message.tool_calls:
                        open_calls[call.name or "tool"].append(call)
            elif waiting := open_calls.get(effect.name):
                said.call = waiting.pop(0)
                if self._content.on:
                    results.append(_result(said.call, effect))
            found += self._calls.spans(effect, agent.context.span_id, said)
        return found

    def _agent_span(self, agent: _Agent, scopes: Sequence[str]) -> Span:
        around = next((each for each in scopes if agent.scope.startswith(f"{each}/")), None)
        begun = min([min(effect.begun, effect.attempts[0].start) for effect in agent.effects])
        ended = max([effect.attempts[-1].end for effect in agent.effects])
        facts = self._used(agent.usage)
        why = _stopped_by(agent)
        error = None if why is None else self._calls.failure(facts, why)
        return Span(
            context=agent.context,
            parent=(self._context if around is None else self._agents[around].context).span_id,
            name=f"{genai.INVOKE_AGENT} {agent.name}",
            start=begun * 1000,
            end=ended * 1000,
            attributes=facts,
            shared=(self._of(agent), self._shared),
            error=error,
        )

    def _of(self, agent: _Agent) -> Shared:
        key = ("agent", agent.name, agent.provider, agent.model, self._content.mode)
        return self._installed.said(key, self._agent_facts)

    def _agent_facts(self, name: str, provider: str, model: str, _mode: str) -> dict[str, Value]:
        facts: dict[str, Value] = {
            genai.OPERATION: genai.INVOKE_AGENT,
            genai.PROVIDER: provider,
            genai.AGENT_NAME: name,
        }
        role = self._installed.roles.get(name)
        if role is not None:
            facts[genai.AGENT_VERSION] = facts[genai.RELEASE] = role.release.hex()
            facts[genai.OUTPUT_TYPE] = "text" if role.output.schema is None else "json"
            if self._content.on and role.prompt:  # here and not with each of its calls, for it is long
                facts[genai.SYSTEM_INSTRUCTIONS] = self._content.instructions(role.prompt)
        if model:
            facts[genai.REQUEST_MODEL] = model
        return facts

    def _used(self, usage: Usage) -> dict[str, Value]:
        facts: dict[str, Value] = {}
        self._calls.cost(facts, usage)
        return facts

    def _flow_facts(self, flow: str, version: str, kept: str, as_agent: str) -> dict[str, Value]:
        facts: dict[str, Value] = {}
        if not as_agent:
            facts = {genai.OPERATION: genai.INVOKE_WORKFLOW, genai.WORKFLOW_NAME: flow}
        return facts | {genai.FLOW: flow, genai.FLOW_VERSION: version, genai.KEPT_BECAUSE: kept}

    def _run_span(self, kept: str, own: _Agent | None, as_agent: bool) -> Span:
        run, part = self._run, self._part
        agents = [own] if as_agent else self._agents.values()
        facts = self._used(sum((each.usage for each in agents if each is not None), NOTHING))
        facts[genai.RUN_STATUS] = _AS_IT_ENDED.get(part.end.kind, str(run.status))
        facts[genai.TENANT] = run.tenant
        if run.by:
            facts[genai.STARTED_BY] = run.by
        key = ("run", run.flow, run.version, kept, "agent" if as_agent else "")
        shared: tuple[Shared, ...] = (self._installed.said(key, self._flow_facts), self._shared)
        if as_agent:
            shared = (self._of(own or _Agent("", run.flow, self._context)), *shared)
        name = f"{genai.INVOKE_AGENT if as_agent else genai.INVOKE_WORKFLOW} {run.flow}"
        error = None
        if part.end.kind in _FAILED:
            error = self._calls.failure(facts, _error(part.end.body))
        if self._content.on:
            if part.begin.body and part.begin.kind in (EventKind.STARTED, EventKind.CONTINUED):
                facts[genai.INPUT] = self._content.data(part.begin.body)
            if part.end.kind is EventKind.RUN_SUCCEEDED:
                facts[genai.OUTPUT] = self._content.data(part.end.body)
        above = read_parent(run.trace)
        links = []
        if part.since or run.fork_of:
            first = run_span(run.fork_of or run.id, None if run.fork_of else run.trace)
            links.append(Link(first, {genai.RUN_ID: run.fork_of or run.id}))
        return Span(
            context=self._context,
            parent=None if above is None else above.span_id,
            name=name,
            start=part.begin.at * 1000,
            end=max(part.begin.at, part.end.at) * 1000,
            attributes=facts,
            shared=shared,
            links=tuple(links),
            error=error,
        )


def _scope(place: str) -> str:
    """Where the agent stands that asks at this place: it limits its time, so its effects are within a branch."""
    inner = place.rpartition("/")[0]
    outer, _, last = inner.rpartition("/")
    return outer if last == "0.0" and outer else inner


def _stopped_by(agent: _Agent) -> ErrorRecord | None:
    """How it failed; a journal has its limits and the failures of its models, not what it made of an answer."""
    for effect in agent.effects[-3:]:
        if effect.name.startswith(_LIMIT):
            reason = effect.name.removeprefix(_LIMIT)
            return ErrorRecord("limit_reached", "loop" if reason == "no_progress" else "limit", reason)
    last = next(effect for effect in reversed(agent.effects) if effect.asks_model)  # models are asked one by one
    return last.last.error


def _result(call: ToolCall, effect: Effect) -> ToolResult:
    last = effect.last
    if last.error is not None:
        return ToolResult(call.id, call.name, last.error.message, last.error.kind)
    body = b"" if last.outcome is None else last.outcome.body
    return ToolResult(call.id, call.name, decode_done(body).result if body else None)
