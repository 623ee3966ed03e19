"""Spans as the OpenTelemetry protocol writes them: protobuf, version 1 of opentelemetry/proto/trace/v1.

A span has a dozen attributes, most of which were written a moment ago with another span. They are kept as bytes and
joined, which takes less than half of the time of building messages; tests read it with OpenTelemetry's own classes.
"""

import struct
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, TypeVar

from callboard.domain.errors import InputInvalid
from callboard.telemetry import genai
from callboard.telemetry.span import Link, Span, SpanEvent, Value

SCOPE = "callboard"
_SHORT, _MANY = 300, 200  # characters of an attribute that may come again, and how many are kept of each name
_SEVEN_DIGITS = 10_000_000

_span_head = struct.Struct("<BQBQ").pack
_double = struct.Struct("<d").pack
_ATTRIBUTE, _TAG = 0x4A, b"\x4a"  # the tag of a span's attribute
_KINDS = [bytes((0x30, kind)) for kind in range(6)]
_START, _END = 0x39, 0x41  # tags of a span's start and end, both fixed64
_FLAGS = (b"\x85\x01\x00\x00\x00\x00", b"\x85\x01\x01\x00\x00\x00")
_ERROR = b"\x18\x02"  # a status's code
_ALWAYS_NEW = frozenset(  # what differs from run to run and from call to call is not worth keeping
    {
        genai.RUN_ID,
        genai.CONVERSATION,
        genai.TOOL_CALL_ID,
        genai.TOOL_ARGUMENTS,
        genai.TOOL_RESULT,
        genai.RESPONSE_ID,
        genai.INPUT_MESSAGES,
        genai.OUTPUT_MESSAGES,
        genai.INPUT,
        genai.OUTPUT,
    }
)


def check() -> None:
    """Raises InputInvalid when what it takes to send OTLP is not installed."""
    try:
        import_module("opentelemetry.proto.metrics.v1.metrics_pb2")
        import_module("requests")
    except ImportError as error:
        raise InputInvalid(
            "telemetry needs packages that are not installed",
            why=str(error),
            remedy='pip install "callboard[telemetry]"',
        ) from error


class Writer:
    """Writes export requests of one process.

    Args:
        resource: what the process says of itself.
        version: this package's.
    """

    def __init__(self, resource: Mapping[str, str], version: str) -> None:
        self._heads: dict[str, _Head] = {}
        self._names: dict[str, bytes] = {}
        pairs = [_field(0x0A, _pair(name, each)) for name, each in resource.items()]
        self._resource = _field(0x0A, b"".join(pairs))
        scope = _text(0x0A, SCOPE) + _text(0x12, version)
        self._scope = _field(0x0A, scope)
        self._schema = _text(0x1A, genai.SCHEMA)

    def request(self, spans: Sequence[bytes]) -> bytes:
        """An export request of these spans, as they were written. With content it is large, so it is joined once."""
        size = len(self._scope) + sum(map(len, spans)) + len(self._schema)
        inner = b"\x12" + _varint(size)
        size += len(self._resource) + len(inner) + len(self._schema)
        outer = b"\x0a" + _varint(size)
        return b"".join((outer, self._resource, inner, self._scope, *spans, self._schema, self._schema))

    def span(self, span: Span) -> bytes:
        """One span, as a part of a request."""
        context = span.context
        title = self._names.get(span.name) or _kept(self._names, span.name, _text(0x2A, span.name))
        parts = [
            b"", b"\x0a\x10", bytes.fromhex(context.trace_id), b"\x12\x08", bytes.fromhex(context.span_id),
            title, _KINDS[span.kind], _span_head(_START, span.start, _END, span.end), _FLAGS[context.sampled],
        ]  # fmt: skip
        if span.parent is not None:
            parts += b"\x22\x08", bytes.fromhex(span.parent)
        for shared in span.shared:
            if not shared.written:
                shared.written = b"".join([self._head(name).attribute(value) for name, value in shared.facts.items()])
            parts.append(shared.written)
        heads = self._heads
        for name, value in span.attributes.items():
            parts.append((heads.get(name) or self._head(name)).attribute(value))
        if span.events:
            parts += [_field(0x5A, _event(event)) for event in span.events]
        if span.links:
            parts += [_field(0x6A, _link(link)) for link in span.links]
        if span.error is not None:
            parts.append(_field(0x7A, _text(0x12, span.error) + _ERROR))
        parts[0] = b"\x12" + _varint(sum(map(len, parts)))
        return b"".join(parts)

    def _head(self, name: str) -> "_Head":
        """Names are ours, so they are few."""
        head = self._heads.get(name)
        if head is None:
            head = self._heads[name] = _Head(name)
        return head


class _Head:
    """The attributes of one name. Lengths are those of the fields around one another, innermost last."""

    __slots__ = ("_decimal", "_key", "_known", "_numbers", "_varies")

    def __init__(self, name: str) -> None:
        self._key = key = _text(0x0A, name)
        self._decimal = _TAG + _varint(len(key) + 11) + key + b"\x12\x09\x21"
        self._numbers = [_TAG + _varint(len(key) + 3 + size) + key + bytes((0x12, 1 + size, 0x18)) for size in range(5)]
        self._known: dict[Value, bytes] = {}
        self._varies = name in _ALWAYS_NEW

    def attribute(self, value: Value) -> bytes:
        """The attribute with this value; short texts are kept as they were written."""
        if type(value) is str:
            if self._varies or len(value) > _SHORT:
                return self._worded(value)
            return self._known.get(value) or _kept(self._known, value, self._worded(value))
        if type(value) is int and 0 <= value < _SEVEN_DIGITS:
            number = _SIZES[value] if value < _SIZED else _varint(value)
            return self._numbers[len(number)] + number
        if type(value) is float:
            return self._decimal + _double(value)
        if type(value) is tuple and (known := self._known.get(value)):
            return known
        made = _field(_ATTRIBUTE, self._key + _field(0x12, _value(value)))
        return _kept(self._known, value, made) if type(value) is tuple else made

    def _worded(self, value: str) -> bytes:
        text = value.encode("utf-8", "replace")
        size = len(text)
        inner = b"\x0a" + (_SIZES[size] if size < _SIZED else _varint(size))
        size += len(inner)
        outer = b"\x12" + (_SIZES[size] if size < _SIZED else _varint(size))
        size += len(outer) + len(self._key)
        return b"".join((_TAG, _SIZES[size] if size < _SIZED else _varint(size), self._key, outer, inner, text))


def _event(event: SpanEvent) -> bytes:
    pairs = [_field(0x1A, _pair(name, value)) for name, value in event.attributes.items()]
    return b"\x09" + struct.pack("<Q", event.at) + _text(0x12, event.name) + b"".join(pairs)


def _link(link: Link) -> bytes:
    pairs = [_field(0x22, _pair(name, value)) for name, value in link.attributes.items()]
    ids = b"\x0a\x10" + bytes.fromhex(link.context.trace_id) + b"\x12\x08" + bytes.fromhex(link.context.span_id)
    return ids + b"".join(pairs)


def _pair(name: str, value: Value) -> bytes:
    return _text(0x0A, name) + _field(0x12, _value(value))


_Key = TypeVar("_Key")


def _kept(known: dict[_Key, bytes], key: _Key, made: bytes) -> bytes:
    """What was made is kept for the next time; all is forgotten when it has become too much."""
    if len(known) >= _MANY:
        known.clear()
    known[key] = made
    return made


def put(attributes: Any, name: str, value: str) -> None:
    """Adds an attribute to a message of OpenTelemetry's own classes."""
    pair = attributes.add()
    pair.key = name
    pair.value.string_value = value


def _value(value: Value) -> bytes:
    if isinstance(value, str):
        return _text(0x0A, value)
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + _varint(value & 0xFFFFFFFFFFFFFFFF)
    if isinstance(value, float):
        return b"\x21" + _double(value)
    return _field(0x2A, b"".join([_field(0x0A, _text(0x0A, each)) for each in value]))


def _text(tag: int, text: str) -> bytes:
    return _field(tag, text.encode("utf-8", "replace"))


def _field(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    return bytes((tag,)) + _varint(size) + body


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


_SIZED = 1 << 12
_SIZES = [_varint(size) for size in range(_SIZED)]
