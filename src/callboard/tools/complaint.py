"""What pydantic found wrong, in words that an agent can act on."""

from collections.abc import Sequence
from reprlib import Repr
from typing import Any

from pydantic import ValidationError

_MOST = 10  # more faults than this help nobody

_short = Repr()  # takes arguments only from Python 3.12
_short.maxstring = _short.maxother = 60
_short.maxlevel = 3


def faults(error: ValidationError, parameters: dict[str, Any]) -> list[dict[str, str]]:
    """Each fault as `{"field", "problem", "got"}`: where, what is expected, what was given (shortened).

    Args:
        error: what pydantic raised.
        parameters: the JSON schema of the whole, to tell what names and types there are. Empty for a result.
    """
    known = parameters.get("properties", {})
    return [_fault(found, known) for found in error.errors(include_url=False, include_context=False)[:_MOST]]


def sentence(faults: Sequence[dict[str, str]]) -> str:
    """The faults as one line of text."""
    return "; ".join(f["field"] + (f" (given {f['got']})" if f["got"] else "") + f" {f['problem']}" for f in faults)


def _fault(found: Any, known: dict[str, Any]) -> dict[str, str]:
    loc = found["loc"]
    field, top = _place(loc), len(loc) == 1
    match found["type"]:
        case "unexpected_keyword_argument" if top:
            problem = f"is not an argument of it, known: {', '.join(known) or 'none'}"
        case "missing" if top and loc[0] in known:
            return {"field": field, "problem": f"is missing: {_expected(known[loc[0]])}", "got": ""}
        case "missing":
            return {"field": field, "problem": "is missing", "got": ""}
        case _:
            problem = found["msg"].replace("Input should", "should", 1)
    return {"field": field, "problem": problem, "got": _short.repr(found["input"])}


def _place(loc: tuple[str | int, ...]) -> str:
    parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc]
    return "".join(parts).lstrip(".") or "the value"


def _expected(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "expected one of " + ", ".join(map(repr, schema["enum"]))
    kind = f"expected {schema['type']}" if "type" in schema else "it is required"
    return f"{kind} ({schema['description']})" if "description" in schema else kind
