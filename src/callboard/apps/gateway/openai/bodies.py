"""What clients send. What would change the answer and cannot be kept is refused; what only tunes a model is taken and
not used, since agents say it themselves."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from callboard.apps.gateway.openai.refusals import unsupported
from callboard.apps.gateway.starting import Key

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Label = Annotated[str, StringConstraints(max_length=512, pattern=r"^[^\x00]*$")]
_LabelName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
Metadata = dict[_LabelName, _Label]
_UNUSED = "Taken and not used: the agent says it."
_OWN_TOOLS = "agents call their own tools here, and no tools of the client"


class _Asked(BaseModel):
    """What both forms have in common."""

    model_config = ConfigDict(extra="forbid")

    model: Name = Field(description="The name of a flow or an agent.", examples=["triage"])
    stream: bool | None = Field(default=None, description="Whether the answer comes in pieces.")
    metadata: Metadata | None = Field(default=None, max_length=16, description="Becomes labels of the run.")
    user: _Label | None = Field(default=None, description="Becomes the run's label `user`.")
    safety_identifier: _Label | None = Field(default=None, description="As `user`.")
    tools: list[Any] | None = Field(default=None, max_length=0, description="Not supported: tools are the agent's.")
    tool_choice: Any = None
    parallel_tool_calls: bool | None = Field(default=None, description=_UNUSED)
    temperature: float | None = Field(default=None, description=_UNUSED)
    top_p: float | None = Field(default=None, description=_UNUSED)
    top_logprobs: int | None = None
    service_tier: str | None = Field(default=None, description=_UNUSED)
    prompt_cache_key: str | None = Field(default=None, description=_UNUSED)

    def labels(self) -> dict[str, str]:
        """As the run's labels."""
        found = dict(self.metadata or {})
        if (user := self.user or self.safety_identifier) is not None:
            found["user"] = user
        return found

    def check(self) -> None:
        """Raises Refusal for what cannot be kept."""
        if self.tool_choice not in (None, "none", "auto"):
            raise unsupported("tool_choice", _OWN_TOOLS)
        if self.top_logprobs:
            raise unsupported("top_logprobs", "an answer may be that of several models; there are no log probabilities")


class StreamOptions(BaseModel):
    """What a stream is to have."""

    model_config = ConfigDict(extra="forbid")

    include_usage: bool = Field(default=False, description="A last piece with the run's usage.")
    include_obfuscation: bool = Field(default=False, description=_UNUSED)


class Completion(_Asked):
    """A chat completion to make."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"model": "triage", "messages": [{"role": "user", "content": "Where is my parcel?"}]}]
        },
    )

    messages: list[dict[str, Any]] = Field(
        min_length=1, max_length=10_000, description="The conversation; the last message is the user's."
    )
    stream_options: StreamOptions | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    functions: list[Any] | None = None
    function_call: Any = None
    response_format: dict[str, Any] | None = None
    logprobs: bool | None = None
    logit_bias: dict[str, float] | None = None
    modalities: list[str] | None = None
    audio: Any = None
    web_search_options: Any = None
    max_tokens: int | None = Field(default=None, description=_UNUSED)
    max_completion_tokens: int | None = Field(default=None, description=_UNUSED)
    presence_penalty: float | None = Field(default=None, description=_UNUSED)
    frequency_penalty: float | None = Field(default=None, description=_UNUSED)
    seed: int | None = Field(default=None, description=_UNUSED)
    reasoning_effort: str | None = Field(default=None, description=_UNUSED)
    verbosity: str | None = Field(default=None, description=_UNUSED)
    store: bool | None = Field(default=None, description=_UNUSED)
    prediction: Any = Field(default=None, description=_UNUSED)

    def check(self) -> None:
        """Raises Refusal for what cannot be kept."""
        super().check()
        if self.n not in (None, 1):
            raise unsupported("n", "one run gives one answer; start several")
        if self.stop:
            raise unsupported("stop", "an agent has its own stop conditions")
        if self.functions or self.function_call not in (None, "none", "auto"):
            raise unsupported("functions", _OWN_TOOLS)
        if (self.response_format or {"type": "text"}).get("type") != "text":
            raise unsupported("response_format", "an agent declares its own output type")
        if self.logprobs:
            raise unsupported("logprobs", "an answer may be that of several models; there are no log probabilities")
        if self.logit_bias:
            raise unsupported("logit_bias", "an answer may be that of several models")
        if self.audio is not None or any(each != "text" for each in self.modalities or ()):
            raise unsupported("modalities", "answers are text")
        if self.web_search_options is not None:
            raise unsupported("web_search_options", _OWN_TOOLS)


class Ask(_Asked):
    """A response to make."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"model": "triage", "input": "Where is my parcel?"}]}
    )

    input: str | list[dict[str, Any]] = Field(
        min_length=1, description="What the user says: a text, or messages of which the last is the user's."
    )
    instructions: str | None = Field(default=None, description="A system message for this response only.")
    previous_response_id: str | None = Field(default=None, max_length=100, description="The response to go on from.")
    conversation: str | dict[str, Any] | None = Field(default=None, description="The conversation to go on with.")
    background: bool | None = Field(default=None, description="Answer at once; the response is looked at later.")
    store: bool | None = Field(default=None, description="With false, nothing can go on from the response.")
    stream_options: dict[str, Any] | None = Field(default=None, description=_UNUSED)
    text: dict[str, Any] | None = None
    prompt: Any = None
    include: list[str] | None = Field(default=None, description=_UNUSED)
    reasoning: dict[str, Any] | None = Field(default=None, description=_UNUSED)
    max_output_tokens: int | None = Field(default=None, description=_UNUSED)
    max_tool_calls: int | None = Field(default=None, description=_UNUSED)
    truncation: str | None = Field(default=None, description=_UNUSED)

    def check(self) -> None:
        """Raises Refusal for what cannot be kept."""
        super().check()
        if ((self.text or {}).get("format") or {"type": "text"}).get("type") != "text":
            raise unsupported("text.format", "an agent declares its own output type")
        if self.prompt is not None:
            raise unsupported("prompt", "an agent has its own prompt")
        if self.previous_response_id is not None and self.conversation is not None:
            raise unsupported("conversation", "it cannot be given beside previous_response_id")
        if self.store is False and (self.background or self.previous_response_id or self.conversation):
            raise unsupported("store", "what is not kept cannot be looked at later, nor belong to a conversation")


class NewConversation(BaseModel):
    """A conversation to begin."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"metadata": {"model": "triage"}}]})

    metadata: Metadata | None = Field(
        default=None, max_length=16, description="`model`: with which flow or agent. All else becomes labels."
    )
    items: list[Any] | None = Field(default=None, max_length=0, description="Not supported: send them with a response.")


__all__ = ["Ask", "Completion", "Key", "Metadata", "Name", "NewConversation", "StreamOptions"]
