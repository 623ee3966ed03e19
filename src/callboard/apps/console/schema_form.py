"""A form out of a JSON schema, and the value that it was filled in with.

Texts, numbers, ticks, choices, objects in objects and lists of plain values have fields of their own; for anything else
there is a field that takes JSON.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

_DEEPEST = 4  # objects in objects; what lies deeper is written as JSON
_PLAIN = {"string": "text", "integer": "integer", "number": "number", "boolean": "tick"}


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field.

    Attributes:
        name: where its value goes, as `order.lines`; empty for the value as a whole.
        label: what people read.
        kind: text, long, integer, number, tick, choice, lines (a list of plain values, one a line), json,
            any (words, or JSON where it begins like it), or group.
        options: the values of a choice, as they are written in JSON.
        item: of lines: the kind of each.
        needed: it must be filled in.
        nullable: left empty it is null, else it is left out.
        default: as it is shown.
        hint: what is known about it.
        parts: of a group.
    """

    name: str
    label: str
    kind: str
    options: tuple[str, ...] = ()
    item: str = "text"
    needed: bool = False
    nullable: bool = False
    default: str = ""
    hint: str = ""
    parts: tuple["Field", ...] = ()

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The options, and beside each what people read."""
        shown = [(each, json.loads(each)) for each in self.options]
        return [(each, said if isinstance(said, str) else each) for each, said in shown]


def fields(schema: Mapping[str, Any] | None) -> Field:
    """The form for values of that schema: a group for an object, else the one field for the value as a whole."""
    if not schema:
        return Field(name="", label="Input", kind="any", hint="Words; or JSON, where it begins with { [ or a quote.")
    return _field("", "Input", schema, schema.get("$defs", {}), True, 0)


def value(form: Field, given: Mapping[str, str]) -> tuple[Any, dict[str, str]]:
    """What a form was filled in with, and for each field that cannot be read what is wrong, by name."""
    wrong: dict[str, str] = {}
    found = _read(form, given, wrong)
    return (None if found is _ABSENT else found), wrong


def wire(name: str) -> str:
    """How a form calls a field."""
    return f"in.{name}" if name else "in"


_ABSENT = object()


def _field(
    name: str, label: str, schema: Mapping[str, Any], defs: Mapping[str, Any], needed: bool, depth: int
) -> Field:
    schema, nullable = _resolved(schema, defs)
    told: dict[str, Any] = {
        "name": name,
        "label": str(schema.get("title") or label),
        "needed": needed and not nullable,
        "nullable": nullable,
        "default": _shown(schema["default"]) if "default" in schema else "",
        "hint": _hint(schema),
    }
    options = schema.get("enum") or ([schema["const"]] if "const" in schema else None)
    if options:
        told["default"] = json.dumps(schema["default"], ensure_ascii=False) if schema.get("default") is not None else ""
        return Field(kind="choice", options=tuple(json.dumps(each, ensure_ascii=False) for each in options), **told)
    kind = schema.get("type")
    if kind == "object" and schema.get("properties") and depth < _DEEPEST:
        must = schema.get("required", ())
        parts = tuple(
            _field(f"{name}.{key}" if name else key, key, each, defs, key in must, depth + 1)
            for key, each in schema["properties"].items()
            if isinstance(each, dict)
        )
        return Field(kind="group", parts=parts, **told)
    if kind == "array":
        items, _ = _resolved(schema.get("items") or {}, defs)
        if items.get("type") in ("string", "integer", "number") and not items.get("enum"):
            hint = "; ".join(filter(None, (told.pop("hint"), "one a line")))
            return Field(kind="lines", item=_PLAIN[items["type"]], hint=hint, **(told | {"default": _lines(schema)}))
    if isinstance(kind, str) and kind in _PLAIN:
        long = kind == "string" and (schema.get("maxLength", 0) > 200 or _wordy(name))
        return Field(kind="long" if long else _PLAIN[kind], **told)
    told["hint"] = "; ".join(filter(None, (told["hint"], "as JSON")))
    return Field(kind="json", **told)


def _resolved(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """The schema behind references, and whether null is allowed beside it."""
    nullable = False
    for _ in range(16):
        ref = schema.get("$ref")
        if isinstance(ref, str):
            target = defs.get(ref.removeprefix("#/$defs/"), {})
            schema = {**target, **{key: each for key, each in schema.items() if key != "$ref"}}
            continue
        several = schema.get("anyOf") or schema.get("oneOf")
        if isinstance(several, list):
            others = [each for each in several if each.get("type") != "null"]
            if len(others) == 1 and len(others) < len(several):
                rest = {key: each for key, each in schema.items() if key not in ("anyOf", "oneOf")}
                schema, nullable = {**others[0], **rest}, True
                continue
        kinds = schema.get("type")
        if isinstance(kinds, list) and "null" in kinds and len(kinds) == 2:
            schema, nullable = {**schema, "type": next(each for each in kinds if each != "null")}, True
        break
    return schema, nullable


def _read(field: Field, given: Mapping[str, str], wrong: dict[str, str]) -> Any:
    if field.kind == "group":
        found = {part.name.rpartition(".")[2]: _read(part, given, wrong) for part in field.parts}
        filled = {key: each for key, each in found.items() if each is not _ABSENT}
        touched = any(given.get(wire(name), "").strip() for name in _names(field))
        if not touched and not field.needed and field.name:
            for name in _names(field):  # nobody asked for this group
                wrong.pop(name, None)
            return None if field.nullable and not field.default else _ABSENT
        return filled
    text = given.get(wire(field.name), "")
    if field.kind == "tick":
        return text == "on"
    if not text.strip():
        return _missing(field, wrong)
    try:
        return _parsed(field, text)
    except (ValueError, RecursionError) as error:
        wrong[field.name] = _complaint(field, error)
        return _ABSENT


def _missing(field: Field, wrong: dict[str, str]) -> Any:
    if field.kind == "lines" and field.needed:
        return []
    if field.kind in ("text", "long") and field.needed and not field.name:
        return ""
    if field.needed and field.name:
        wrong[field.name] = "it is needed"
    return None if field.nullable and not field.default else _ABSENT


def _parsed(field: Field, text: str) -> Any:
    match field.kind:
        case "integer":
            return int(text.strip())
        case "number":
            found = float(text.strip())
            if found != found or found in (float("inf"), float("-inf")):
                raise ValueError
            return found
        case "choice":
            if text not in field.options:
                raise ValueError
            return json.loads(text)
        case "json":
            return json.loads(text)
        case "any" if text.lstrip()[0] in '{["':
            return json.loads(text)
        case "lines":
            kinds = {"integer": int, "number": float, "text": str}
            return [kinds[field.item](line.strip()) for line in text.splitlines() if line.strip()]
        case _:
            return text.replace("\r\n", "\n")


def _complaint(field: Field, error: Exception) -> str:
    said = {
        "integer": "this is not a whole number",
        "number": "this is not a number",
        "choice": "this is none of the choices",
        "lines": "a line of this is not a number",
    }
    return said.get(field.kind, f"this is not JSON: {error}")


def _names(field: Field) -> list[str]:
    if field.kind != "group":
        return [field.name]
    return [name for part in field.parts for name in _names(part)]


def _shown(default: Any) -> str:
    if default is None:
        return ""
    return default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)


def _lines(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    return "\n".join(str(each) for each in default) if isinstance(default, list) else ""


def _hint(schema: Mapping[str, Any]) -> str:
    said = [str(schema["description"])] if schema.get("description") else []
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None or high is not None:
        said.append(
            f"{low} to {high}" if None not in (low, high) else f"at least {low}" if high is None else f"at most {high}"
        )
    if schema.get("format"):
        said.append(str(schema["format"]))
    return "; ".join(said)


def _wordy(name: str) -> bool:
    return name.rpartition(".")[2] in {
        "text",
        "message",
        "instruction",
        "prompt",
        "question",
        "body",
        "content",
        "wish",
    }
