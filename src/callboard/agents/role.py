"""What an agent is: data, checked once when it is declared."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callboard.agents.answers import Cache
from callboard.agents.compaction import Compaction
from callboard.agents.limits import Limits
from callboard.agents.output import Output
from callboard.agents.progress import Progress
from callboard.agents.stops import Stop
from callboard.agents.tool import JournaledTool
from callboard.domain.codec import digest, encode
from callboard.domain.errors import InputInvalid
from callboard.domain.toolspec import ToolSpec
from callboard.models import Ability, Model
from callboard.tools import Toolbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """The parts of an agent.

    Attributes:
        name: how runs and journals name it.
        model: who answers: a model, the name of one or a reference; None where a route says it.
        route: the route's name, None where the model is named.
        task: the kind of task, for the route's choice.
        prompt: the system message, "" for none.
        tools: what it may call, by name.
        toolbox: the same tools, for telling near misses from inventions.
        specs: what the model is told about them.
        output: the type of its answer.
        limits: what one run of it may use up.
        temperature: None for the provider's default.
        max_output_tokens: of one model call; None for the provider's own limit.
        model_timeout: seconds for one model call.
        repairs: how often an answer that does not fit the output type is sent back.
        reasoning: how hard to think, in the provider's word; None for its default.
        compaction: what is done when the conversation does not fit into any model; None for failing.
        progress: when it counts as stuck; None for never.
        stop: conditions under which it is done.
        cache: how long answers to the very same question are given again; None for never.
        equipment: bytes of what goes with every call: the tools and the schema.
        abilities: what every call needs of a model.
        release: eight bytes over what changes its behaviour.
    """

    name: str
    model: Model | str | None
    route: str | None
    task: str | None
    prompt: str
    tools: Mapping[str, JournaledTool]
    toolbox: Toolbox
    specs: tuple[ToolSpec, ...]
    output: Output
    limits: Limits
    temperature: float | None
    max_output_tokens: int | None
    model_timeout: float
    repairs: int
    reasoning: str | None
    compaction: Compaction | None
    cache: Cache | None
    progress: Progress | None
    stop: tuple[Stop, ...]
    equipment: int
    abilities: frozenset[Ability]
    release: bytes

    @classmethod
    def of(
        cls,
        name: str,
        *,
        model: Model | str | None = None,
        route: str | None = None,
        task: str | None = None,
        prompt: str = "",
        tools: Sequence[JournaledTool] = (),
        output: Any = str,
        limits: Limits | None = None,
        temperature: float | None = None,
        max_output_tokens: int | None = None,
        model_timeout: float = 120.0,
        repairs: int = 2,
        reasoning: str | None = None,
        compact: Compaction | bool | None = None,
        cache: Cache | None = None,
        progress: Progress | None = Progress(),  # noqa: B008, it is frozen
        stop: Sequence[Stop] = (),
        who: str | None = None,
    ) -> "Role":
        """Checks the parts and fills in defaults; `who` stands for the model in the release. Raises InputInvalid."""
        if (model is None) is (route is None):
            raise InputInvalid(
                f"agent {name} has {'neither a model nor' if model is None else 'both a model and'} a route",
                remedy="give it exactly one of model= and route=",
            )
        if max_output_tokens is not None and max_output_tokens < 1:
            raise InputInvalid(
                f"agent {name}: max_output_tokens={max_output_tokens!r} is no whole number above 0", remedy="raise it"
            )
        toolbox = Toolbox()
        for tool in tools:
            if not isinstance(tool, JournaledTool):
                raise InputInvalid(f"agent {name}: {tool!r} is not a tool", remedy="decorate it with @app.tool")
            toolbox.add(tool.tool)
        specs = tuple(tool.tool.spec() for tool in tools)
        answer = Output(output, name)
        return cls(
            name=name,
            model=model,
            route=route,
            task=task,
            prompt=prompt,
            tools={tool.name: tool for tool in tools},
            toolbox=toolbox,
            specs=specs,
            output=answer,
            limits=Limits() if limits is None else limits,
            temperature=temperature,
            max_output_tokens=max_output_tokens,
            model_timeout=model_timeout,
            repairs=repairs,
            reasoning=reasoning,
            compaction=Compaction() if compact is True else compact or None,
            cache=cache,
            progress=progress,
            stop=tuple(stop),
            abilities=frozenset(_abilities(specs, answer, reasoning)),
            equipment=len(encode([specs, answer.schema])),
            release=digest(prompt, who or _who(model, route), [spec.name for spec in specs], answer.schema),
        )


def _who(model: Model | str | None, route: str | None) -> str:
    """What stands in the release for whoever answers: a route may choose another model and be the same release."""
    if model is None:
        return f"route {route}"
    return model if isinstance(model, str) else model.name


def _abilities(specs: Sequence[ToolSpec], output: Output, reasoning: str | None) -> Iterator[Ability]:
    if specs:
        yield Ability.TOOLS
    if output.schema is not None:
        yield Ability.SCHEMA
    if reasoning is not None:
        yield Ability.REASONING
