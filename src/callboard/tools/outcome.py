"""What came out of an author's function: a result fit to store, or a failure with its kind."""

import json
from dataclasses import dataclass
from typing import Any

import msgspec
import pydantic

from callboard.domain import codec
from callboard.domain.errors import ToolFailed, Unencodable
from callboard.domain.kinds import ErrorKind
from callboard.domain.partial import Partial
from callboard.tools.complaint import faults, sentence
from callboard.tools.contract import UpstreamBusy, UpstreamDown, UpstreamRejected
from callboard.tools.signature import MISSING

_LONGEST_MESSAGE = 2_000  # characters of an author's exception that a journal and a model get to see


@dataclass(frozen=True, slots=True)
class ResultType:
    """Checks a result against the function's return annotation. Without an adapter, all is right."""

    adapter: pydantic.TypeAdapter[Any] | None

    @classmethod
    def of(cls, annotation: Any) -> "ResultType":
        """Build the check; an annotation that pydantic does not understand is not checked."""
        if annotation is MISSING or annotation is Any:
            return cls(None)
        try:
            return cls(pydantic.TypeAdapter(annotation))
        except Exception:  # a foreign class; its own hooks may raise anything
            return cls(None)

    def storable(self, tool: str, value: Any, limit: int) -> Any:
        """The value as decoding its stored JSON gives it.

        Args:
            tool: whose result it is.
            value: what the function returned.
            limit: most bytes of JSON.

        Raises ToolFailed(MALFORMED_RESULT), naming the place or the size.
        """
        try:
            body = codec.encode(value, "it")
        except Unencodable as error:
            raise _malformed(tool, f"{error.what}, {error.why}") from error
        if len(body) > limit:
            facts = {"size": len(body), "limit": limit}
            raise _malformed(tool, f"its JSON has {len(body):,} bytes, the limit is {limit:,}", facts)
        if self.adapter is not None and not isinstance(value, Partial):
            self._check(self.adapter, tool, value, body)
        return codec.decode(body)

    def _check(self, adapter: pydantic.TypeAdapter[Any], tool: str, value: Any, body: bytes) -> None:
        # An instance of the type is right, and so is the JSON of one: upstreams often answer in dicts.
        try:
            adapter.validate_python(value, strict=True)
        except pydantic.ValidationError:
            try:
                adapter.validate_json(body, strict=True, by_alias=True, by_name=True)
            except pydantic.ValidationError as error:
                found = faults(error, {})
                raise _malformed(tool, sentence(found), {"fields": found}) from error


def failure_of(tool: str, error: BaseException, *, limit: float, expired: bool) -> ToolFailed:
    """The failure that an exception out of an author's function stands for.

    Args:
        tool: whose function it was.
        error: what it raised.
        limit: the time limit in seconds, to name it.
        expired: the limit had been reached by then, so that the exception may only be its echo.
    """
    match error:
        case UpstreamRejected():
            return ToolFailed(f"{tool} was rejected: {_said(error)}", kind=ErrorKind.UPSTREAM_REJECTED)
        case _ if expired:
            return ToolFailed(
                f"{tool} did not answer within {limit:g} s", kind=ErrorKind.TIMEOUT, detail={"limit": limit}
            )
        case TimeoutError():
            return ToolFailed(f"{tool} met a time limit of its own: {_said(error)}", kind=ErrorKind.TIMEOUT)
        case UpstreamBusy():
            return ToolFailed(f"{tool} is busy: {_said(error)}", kind=ErrorKind.RATE_LIMITED, detail=_after(error))
        case UpstreamDown():
            return _down(tool, error, _after(error))
        case OSError():
            return _down(tool, error, None)
        case json.JSONDecodeError() | msgspec.DecodeError():  # an HTML page where JSON was due, say
            return _malformed(tool, _said(error), {"type": type(error).__name__})
        case _:
            name = type(error).__name__
            return ToolFailed(f"{tool} raised {name}: {_said(error)}", kind=ErrorKind.BUG, detail={"type": name})


def _malformed(tool: str, why: str, detail: dict[str, Any] | None = None) -> ToolFailed:
    what = f"{tool} answered with something that cannot be used"
    return ToolFailed(what, why=why, kind=ErrorKind.MALFORMED_RESULT, detail=detail)


def _down(tool: str, error: BaseException, detail: dict[str, Any] | None) -> ToolFailed:
    return ToolFailed(f"{tool} is down: {_said(error)}", kind=ErrorKind.UPSTREAM_DOWN, detail=detail)


def _after(error: UpstreamDown) -> dict[str, Any] | None:
    return {"retry_after": error.retry_after} if isinstance(error.retry_after, int | float) else None


def _said(error: BaseException) -> str:
    try:
        text = codec.clean(str(error))
    except Exception:  # an author's __str__ may raise anything
        text = ""
    return text[:_LONGEST_MESSAGE] or type(error).__name__
