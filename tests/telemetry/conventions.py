"""The rules of OpenTelemetry's conventions for generative AI, as a checker of what arrived.

Written from the requirement levels, names, kinds and units that semantic-conventions-genai states for the spans
`inference`, `execute_tool`, `invoke_agent.internal` and `invoke_workflow.internal`, and the general ones for errors and
HTTP servers. It knows nothing of how the spans are made.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from tests.telemetry.collector import Told

INTERNAL, SERVER, CLIENT = 1, 2, 3
_TEXT, _NUMBER, _LIST = str, int, list

TYPES: dict[str, Any] = {
    "gen_ai.operation.name": _TEXT,
    "gen_ai.provider.name": _TEXT,
    "gen_ai.request.model": _TEXT,
    "gen_ai.request.max_tokens": _NUMBER,
    "gen_ai.request.temperature": float,
    "gen_ai.response.model": _TEXT,
    "gen_ai.response.id": _TEXT,
    "gen_ai.response.finish_reasons": _LIST,
    "gen_ai.output.type": _TEXT,
    "gen_ai.usage.input_tokens": _NUMBER,
    "gen_ai.usage.output_tokens": _NUMBER,
    "gen_ai.usage.cache_read.input_tokens": _NUMBER,
    "gen_ai.usage.cache_write.input_tokens": _NUMBER,
    "gen_ai.usage.reasoning.output_tokens": _NUMBER,
    "gen_ai.agent.name": _TEXT,
    "gen_ai.agent.version": _TEXT,
    "gen_ai.workflow.name": _TEXT,
    "gen_ai.conversation.id": _TEXT,
    "gen_ai.tool.name": _TEXT,
    "gen_ai.tool.call.id": _TEXT,
    "gen_ai.tool.type": _TEXT,
    "gen_ai.tool.description": _TEXT,
    "gen_ai.tool.call.arguments": _TEXT,
    "gen_ai.tool.call.result": _TEXT,
    "gen_ai.input.messages": _TEXT,
    "gen_ai.output.messages": _TEXT,
    "gen_ai.system_instructions": _TEXT,
}
REQUIRED = {
    "chat": ("gen_ai.provider.name", "gen_ai.request.model"),
    "execute_tool": ("gen_ai.tool.name",),
    "invoke_agent": ("gen_ai.provider.name", "gen_ai.agent.name"),
    "invoke_workflow": ("gen_ai.workflow.name",),
}
NAMES = {
    "chat": "gen_ai.request.model",
    "execute_tool": "gen_ai.tool.name",
    "invoke_agent": "gen_ai.agent.name",
    "invoke_workflow": "gen_ai.workflow.name",
}
KINDS = {
    "chat": {CLIENT, INTERNAL},
    "execute_tool": {INTERNAL},
    "invoke_agent": {INTERNAL},
    "invoke_workflow": {INTERNAL},
}
_VALUES = {"gen_ai.output.type": {"text", "json", "image", "speech"}, "gen_ai.tool.type": {"function", "extension"}}
_PARTS = {
    "text": "content",
    "reasoning": "content",
    "tool_call": "name",
    "tool_call_response": "response",
    "uri": "uri",
}
_HEX16, _HEX8 = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{16}")


def faults(spans: Iterable[Told]) -> list[str]:
    """What is wrong with a set of spans; empty when nothing is."""
    return [f"{span.name}: {fault}" for span in spans for fault in _faults(span)]


def _faults(span: Told) -> Iterable[str]:
    facts, operation = span.facts, span.facts.get("gen_ai.operation.name")
    if not _HEX16.fullmatch(span.trace) or not int(span.trace, 16):
        yield f"trace id {span.trace!r}"
    if not _HEX8.fullmatch(span.id) or not int(span.id, 16):
        yield f"span id {span.id!r}"
    if not span.start or span.end < span.start:
        yield f"ends {span.start - span.end} ns before it begins"
    if not re.fullmatch(r"https://opentelemetry\.io/schemas/\S*\d+\.\d+\.\d+\S*", span.schema):
        yield f"schema {span.schema!r} names no version"
    for needed in ("service.name", "service.version", "service.instance.id"):
        if not span.resource.get(needed):
            yield f"the resource has no {needed}"
    if (span.status == 2) != ("error.type" in facts):
        yield f"status {span.status} with error.type {facts.get('error.type')!r}"
    for name, value in facts.items():
        if name.startswith("gen_ai."):
            kind = TYPES.get(name)
            if kind is None:
                yield f"{name} is no attribute of the conventions"
            elif type(value) is not kind:
                yield f"{name}={value!r} is no {kind.__name__}"
        if name in _VALUES and value not in _VALUES[name]:
            yield f"{name}={value!r} is none of {_VALUES[name]}"
    if operation is not None:
        yield from _operation(span, operation)
    elif span.kind == SERVER:
        yield from (f"no {name}" for name in ("http.request.method", "url.scheme") if name not in facts)
        if span.name != f"{facts.get('http.request.method')} {facts.get('http.route')}":
            yield "the name is not method and route"
    for name in ("gen_ai.input.messages", "gen_ai.output.messages"):
        if name in facts:
            yield from _messages(name, facts[name])


def _operation(span: Told, operation: str) -> Iterable[str]:
    if operation not in REQUIRED:
        yield f"operation {operation!r}"
        return
    for needed in REQUIRED[operation]:
        if not span.facts.get(needed):
            yield f"no {needed}"
    if span.name != f"{operation} {span.facts.get(NAMES[operation])}":
        yield f"is not called {operation} {span.facts.get(NAMES[operation])}"
    if span.kind not in KINDS[operation]:
        yield f"kind {span.kind}"
    total = span.facts.get("gen_ai.usage.input_tokens", 0)
    parts = ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_write.input_tokens")
    if sum(span.facts.get(part, 0) for part in parts) > total:
        yield "more tokens were cached than read"


def _messages(name: str, text: str) -> Iterable[str]:
    for message in json.loads(text):
        if message["role"] not in ("system", "user", "assistant", "tool"):
            yield f"{name}: role {message['role']}"
        if name.startswith("gen_ai.output") and "finish_reason" not in message:
            yield f"{name}: no finish_reason"
        for part in message["parts"]:
            if part["type"] in _PARTS and _PARTS[part["type"]] not in part:
                yield f"{name}: a {part['type']} without {_PARTS[part['type']]}"
