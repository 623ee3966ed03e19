"""Six hundred recorded calls, good and faulty, against the documents of 128 functions."""

import inspect
import json
import os
from pathlib import Path
from typing import Any, TypeAlias

import pydantic
import pytest

from callboard.domain.errors import ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.tools import Tool, Toolbox

ROOT = Path(__file__).resolve().parents[3]
DATA = Path(os.environ.get("CALLBOARD_SHARED", ROOT.parent / "shared")) / "data" / "functions"
Json: TypeAlias = dict[str, Any]
PLAIN = {"string": str, "integer": int, "number": float, "boolean": bool, "object": dict[str, Any]}


def annotation(schema: Json) -> Any:
    """The Python type that an author would have written for this schema."""
    if schema.get("type") == "array":
        return list[annotation(schema.get("items", {}))]  # type: ignore[misc]
    if "properties" in schema:
        required = schema.get("required", ())
        fields = {
            name: (annotation(part), ... if name in required else None) for name, part in schema["properties"].items()
        }
        return pydantic.create_model("Inner", **fields)  # type: ignore[call-overload]
    return PLAIN.get(schema.get("type", ""), Any)


def declared(document: Json) -> Tool:
    """A tool with the signature that the document describes."""
    wanted = document["parameters"]

    def fn() -> None: ...

    fn.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=annotation(schema),
                default=inspect.Parameter.empty if name in wanted.get("required", ()) else None,
            )
            for name, schema in wanted["properties"].items()
        ]
    )
    return Tool.of(fn, "read", name=document["name"])


def outcome(box: Toolbox, case: Json) -> ToolFailed | None:
    try:
        box.get(case["name"]).validate(case["arguments"])
    except ToolFailed as failure:
        return failure
    return None


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded calls at {DATA}; set CALLBOARD_SHARED")
def test_every_good_call_passes_and_every_faulty_one_is_refused_naming_the_fault() -> None:
    box = Toolbox(map(declared, json.loads((DATA / "functions.json").read_text("utf-8"))))
    cases = [json.loads(line) for line in (DATA / "call_cases.jsonl").read_text("utf-8").splitlines()]
    assert len(cases) == 600
    for case in cases:
        failure = outcome(box, case)
        match case["fault"]:
            case "none":
                assert failure is None, (case, failure)
            case "unknown_function":
                assert failure is not None and failure.kind is ErrorKind.UNKNOWN_TOOL, case
                assert case["at"] in str(failure)
            case fault:
                word = {"missing_argument": "missing", "unknown_argument": "not an argument"}.get(fault, "should")
                assert failure is not None and failure.kind is ErrorKind.INVALID_ARGUMENTS, case
                faults = [f for f in failure.detail["fields"] if f["field"].startswith(case["at"])]
                assert faults and word in faults[0]["problem"], (case, failure)
