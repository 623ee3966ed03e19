"""From a signature to a JSON schema and a validator of arguments. All building is done at declaration."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pydantic
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from callboard.domain import codec
from callboard.domain.errors import InputInvalid, ToolFailed, Unencodable
from callboard.domain.kinds import ErrorKind
from callboard.tools.complaint import faults, sentence
from callboard.tools.signature import MISSING, Signature


@dataclasses.dataclass(frozen=True, slots=True)
class Arguments:
    """What a tool may be called with. `schema` is the JSON schema that a model is shown."""

    schema: dict[str, Any]
    adapter: pydantic.TypeAdapter[Any]

    @classmethod
    def of(cls, signature: Signature, descriptions: Mapping[str, str]) -> "Arguments":
        """Build schema and validator.

        Args:
            signature: what the function takes.
            descriptions: a text for each parameter that has one; a description in a pydantic Field wins.

        Raises InputInvalid, naming the parameter, for a type that JSON cannot fill.
        """
        try:
            adapter = _adapter(signature)
            schema = adapter.json_schema(schema_generator=_Schema)
        except Exception as error:  # pydantic, or an author's own hook in a type: anything
            raise _unsupported(signature, error) from error
        return cls(_tidied(schema, signature, descriptions), adapter)

    def validate(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as Python values by parameter name, defaults filled in.

        Raises ToolFailed(INVALID_ARGUMENTS): its text tells an agent what to mend, and `detail["fields"]`
        lists `{"field", "problem", "got"}`.
        """
        try:
            # Arguments come from JSON, so they are judged as JSON: a date is text, but a number is not.
            body = codec.encode(arguments if type(arguments) is dict else dict(arguments), "the JSON")
            values: dict[str, Any] = vars(self.adapter.validate_json(body, strict=True))
        except pydantic.ValidationError as error:
            raise _invalid(tool, faults(error, self.schema)) from error
        except Unencodable as error:
            problem = f"cannot be read: {error.what}"
            raise _invalid(tool, [{"field": "arguments", "problem": problem, "got": ""}]) from error
        except Exception as error:  # a validator that an author wrote into a type
            kind = type(error).__name__
            raise ToolFailed(
                f"checking the arguments of {tool} raised {kind}", kind=ErrorKind.BUG, detail={"type": kind}
            ) from error
        return values


class _Schema(GenerateJsonSchema):
    """Pydantic's schema without the titles, which tell a model nothing and cost tokens on every call."""

    ignored_warning_kinds = frozenset({"skipped-choice", "non-serializable-default"})  # type: ignore[assignment]

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _adapter(signature: Signature) -> pydantic.TypeAdapter[Any]:
    # A dataclass, not a model: any parameter name is good, also `copy`, `json` or `_id`.
    fields = [(p.name, p.annotation, _field(p.default)) for p in signature.parameters]
    config = {"__pydantic_config__": pydantic.ConfigDict(extra="forbid")}
    return pydantic.TypeAdapter(dataclasses.make_dataclass(signature.function, fields, kw_only=True, namespace=config))


def _field(default: Any) -> Any:
    if default is MISSING:
        return dataclasses.field()
    return default if isinstance(default, FieldInfo) else pydantic.Field(default=default)


def _tidied(schema: dict[str, Any], signature: Signature, descriptions: Mapping[str, str]) -> dict[str, Any]:
    """The schema in the order of the signature, with the descriptions from the docstring."""
    properties = schema["properties"]
    names = [p.name for p in signature.parameters]
    order = [name for name in names if name in properties]
    order += [name for name in properties if name not in names]  # known to the model by an alias
    for name, text in descriptions.items():
        if name in properties:
            properties[name].setdefault("description", text)
    tidy = {"type": "object", "properties": {name: properties[name] for name in order}}
    return tidy | {key: schema[key] for key in ("required", "additionalProperties", "$defs") if key in schema}


def _invalid(tool: str, fields: list[dict[str, str]]) -> ToolFailed:
    return ToolFailed(
        f"{tool} was not called, its arguments do not fit",
        why=sentence(fields),
        remedy="call it again with these mended",
        kind=ErrorKind.INVALID_ARGUMENTS,
        detail={"fields": fields},
    )


def _unsupported(signature: Signature, error: Exception) -> InputInvalid:
    for parameter in signature.parameters:
        alone = dataclasses.replace(signature, parameters=(parameter,))
        try:
            _adapter(alone).json_schema(schema_generator=_Schema)
        except Exception as reason:
            culprit, error = f"parameter {parameter.name}", reason
            break
    else:
        culprit = "the signature"
    return InputInvalid(
        f"{culprit} of {signature.function} has a type that cannot be used",
        why=str(error).partition("\n")[0],
        remedy="use JSON-like types, dataclasses or pydantic models, defined at module level",
    )
