"""What clients are shown: responses, completions, models, conversations. Plain JSON, as OpenAI's API has it."""

from typing import Any

import msgspec

from callboard.apps.gateway.openai.course import Call
from callboard.domain.chat import words_of
from callboard.domain.kinds import ErrorKind, ErrorRecord
from callboard.domain.run import Outcome, RunStatus
from callboard.domain.usage import Usage
from callboard.runtime import Session, Turn

RESPONSE, CONVERSATION = "resp_", "conv_"
_USER = ("user", "session")  # labels that are no metadata
_ITEM = {"completed": "completed", "incomplete": "incomplete", "failed": "incomplete"}


class Finish(msgspec.Struct, frozen=True):
    """How a run ended, in a client's words.

    Attributes:
        status: `completed`, `incomplete`, `failed` or `cancelled`.
        text: the answer; what there was of it where a limit was reached.
        reason: why it is incomplete: `max_output_tokens`, `content_filter`.
        error: why there is none.
    """

    status: str
    text: str = ""
    reason: str | None = None
    error: ErrorRecord | None = None

    @classmethod
    def of(cls, outcome: Outcome) -> "Finish":
        """The end of a run."""
        if outcome.status is RunStatus.SUCCEEDED:
            return cls("completed", words_of(outcome.output))
        error = outcome.error or ErrorRecord("failure", ErrorKind.BUG, "no reason was recorded")
        detail = error.detail or {}
        if outcome.status is RunStatus.CANCELLED:
            return cls("cancelled", error=error)
        if error.kind == ErrorKind.CONTENT_FILTERED:
            return cls("incomplete", reason="content_filter", error=error)
        if error.code == "limit_reached" and detail.get("reason") != "budget":
            return cls("incomplete", (detail.get("partial") or {}).get("text", ""), "max_output_tokens", error)
        return cls("failed", error=error)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a response is about, apart from what comes of it."""

    run_id: str
    model: str
    created_at: float
    conversation: str | None = None
    previous: str | None = None
    instructions: str | None = None
    metadata: dict[str, str] = {}
    background: bool | None = None
    store: bool = True

    @classmethod
    def of(cls, turn: Turn, session: Session, background: bool | None = None) -> "Facts":
        """Of a session's turn."""
        labels: dict[str, str] = turn.options.get("labels", {})
        return cls(
            run_id=turn.id,
            model=session.flow,
            created_at=turn.at,
            conversation=session.id,
            previous=turn.after,
            instructions=turn.options.get("instructions") or None,
            metadata={name: value for name, value in labels.items() if name not in _USER},
            background=background,
        )

    def view(
        self,
        status: str,
        output: list[dict[str, Any]],
        *,
        finish: Finish | None = None,
        usage: Usage | None = None,
        ended_at: float | None = None,
    ) -> dict[str, Any]:
        """The response object."""
        failed = finish is not None and finish.status in ("failed", "cancelled")
        return {
            "id": RESPONSE + self.run_id,
            "object": "response",
            "created_at": int(self.created_at),
            "completed_at": None if ended_at is None or status != "completed" else int(ended_at),
            "status": status,
            "background": self.background,
            "error": _error(finish.error) if finish is not None and failed else None,
            "incomplete_details": {"reason": finish.reason} if finish is not None and finish.reason else None,
            "instructions": self.instructions,
            "max_output_tokens": None,
            "model": self.model,
            "output": output,
            "parallel_tool_calls": True,
            "previous_response_id": None if self.previous is None else RESPONSE + self.previous,
            "conversation": None if self.conversation is None else {"id": CONVERSATION + self.conversation},
            "reasoning": {"effort": None, "summary": None},
            "store": self.store,
            "temperature": None,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
            "truncation": "disabled",
            "usage": None if usage is None else response_usage(usage),
            "metadata": self.metadata,
        }


def message_item(item_id: str, status: str, text: str | None) -> dict[str, Any]:
    """An answer as an item; None for one that has just begun."""
    content = [] if text is None else [text_part(text)]
    return {"id": item_id, "type": "message", "role": "assistant", "status": status, "content": content}


def text_part(text: str) -> dict[str, Any]:
    """Words, as a part of an item."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def call_item(call: Call, status: str) -> dict[str, Any]:
    """A call of a tool as an item: of the kind for tools that were called here, which no client is to execute."""
    error = None if call.error is None else {"type": "mcp_tool_execution_error", "content": call.error}
    return {
        "id": f"mcp_{call.id}",
        "type": "mcp_call",
        "server_label": "callboard",
        "name": call.name,
        "arguments": call.arguments,
        "status": status,
        "output": call.output,
        "error": error,
        "approval_request_id": None,
    }


def done(call: Call) -> dict[str, Any]:
    """A call that was made."""
    return call_item(call, "completed" if call.error is None else "failed")


def item_status(status: str) -> str:
    """Of an answer in a response of that status."""
    return _ITEM.get(status, "incomplete")


def response_usage(usage: Usage) -> dict[str, Any]:
    """Tokens, in a response's words."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": usage.written_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.tokens,
    }


def completion_usage(usage: Usage) -> dict[str, Any]:
    """Tokens, in a completion's words."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def conversation(session: Session) -> dict[str, Any]:
    """A conversation."""
    metadata = {**session.labels, "model": session.flow}
    return {
        "id": CONVERSATION + session.id,
        "object": "conversation",
        "created_at": int(session.created_at),
        "metadata": metadata,
    }


def _error(error: ErrorRecord | None) -> dict[str, Any] | None:
    if error is None:
        return None
    limited = error.kind in (ErrorKind.RATE_LIMITED, ErrorKind.QUOTA)
    return {"code": "rate_limit_exceeded" if limited else "server_error", "message": error.message}
