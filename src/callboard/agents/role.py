"""What an agent is: data, checked once when it is declared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callboard.agents.limits import Limits
from callboard.agents.output import Output
from callboard.agents.tool import JournaledTool
from callboard.domain.codec import digest
from callboard.domain.errors import InputInvalid
from callboard.domain.toolspec import ToolSpec
from callboard.models import Model
from callboard.tools import Toolbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """The parts of an agent.

    Attributes:
        name: how runs and journals name it.
        model: who answers.
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
        release: eight bytes over what changes its behaviour.
    """

    name: str
    model: Model
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
    release: bytes

    @classmethod
    def of(
        cls,
        name: str,
        *,
        model: Model,
        prompt: str = "",
        tools: Sequence[JournaledTool] = (),
        output: Any = str,
        limits: Limits | None = None,
        temperature: float | None = None,
        max_output_tokens: int | None = None,
        model_timeout: float = 120.0,
        repairs: int = 2,
    ) -> "Role":
        """Checks the parts and fills in defaults. Raises InputInvalid."""
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
            release=digest(prompt, model.name, [spec.name for spec in specs], answer.schema),
        )
