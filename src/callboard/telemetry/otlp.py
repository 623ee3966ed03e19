"""Spans as the OpenTelemetry protocol writes them: protobuf, version 1 of opentelemetry/proto/trace/v1.

A span has a dozen attributes, most of which were written a moment ago with another span. They are kept as bytes and
joined, which takes less than half of the time of building messages; tests read it with OpenTelemetry's own classes.
"""

import struct
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, TypeVar

from callboard.domain.errors import InputInvalid
from callboard.telemetry import genai
from callboard.telemetry.span import Link, Span, SpanEvent, Value

SCOPE = "callboard"
_SHORT, _MANY = 300, 4_096  # characters of an attribute that may come again, and how many of these are kept
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
        self._known: dict[tuple[str, Value], bytes] = {}
        self._heads: dict[str, _Head] = {}
        self._names: dict[str, bytes] = {}
        pairs = [_field(0x0A, _pair(name, each)) for name, each in resource.items()]
        self._resource = _field(0x0A, b"".join(pairs))
        scope = _text(0x0A, SCOPE) + _text(0x12, version)
        self._scope = _field(0x0A, scope)
        self._schema = _text(0x1A, genai.SCHEMA)

    def request(self, spans: Iterable[bytes]) -> bytes:
        """An export request of these spans, as they were written."""
        body = b"".join((self._scope, *spans, self._schema))
        return _field(0x0A, self._resource + _field(0x12, body) + self._schema)

    def span(self, span: Span) -> bytes:
        """One span, as a part of a request."""
        context = span.context
        name = self._names.get(span.name)
        if name is None:
            name = _kept(self._names, span.name, _text(0x2A, span.name))
        parts = [
            b"\x0a\x10", bytes.fromhex(context.trace_id), b"\x12\x08", bytes.fromhex(context.span_id),
            name, _KINDS[span.kind], _span_head(_START, span.start, _END, span.end), _FLAGS[context.sampled],
        ]  # fmt: skip
        if span.parent is not None:
            parts += b"\x22\x08", bytes.fromhex(span.parent)
        for shared in span.shared:
            if not shared.written:
                shared.written = b"".join([self._attribute(name, value) for name, value in shared.facts.items()])
            parts.append(shared.written)
        known = self._known
        for fact in span.attributes.items():
            parts.append(known.get(fact) or self._attribute(*fact))
        if span.events:
            parts += [_field(0x5A, _event(event)) for event in span.events]
        if span.links:
            parts += [_field(0x6A, _link(link)) for link in span.links]
        if span.error is not None:
            parts.append(_field(0x7A, _text(0x12, span.error) + _ERROR))
        return _field(0x12, b"".join(parts))

    def _attribute(self, name: str, value: Value) -> bytes:
        """An attribute of a span, with its tag; short texts are kept as they were written."""
        head = self._heads.get(name)
        if head is None:
            head = self._heads[name] = _Head(name)
        if type(value) is str:
            made = head.worded(value)
        elif type(value) is int and 0 <= value < _SEVEN_DIGITS:
            return head.numbered(value)
        elif type(value) is float:
            return head.decimal + _double(value)
        else:
            made = _field(_ATTRIBUTE, head.key + _field(0x12, _value(value)))
        if isinstance(value, str | tuple) and len(value) <= _SHORT and name not in _ALWAYS_NEW:
            _kept(self._known, (name, value), made)
        return made


class _Head:
    """How an attribute of this name begins. Lengths are those of the fields around one another, innermost last."""

    __slots__ = ("_numbers", "decimal", "key")

    def __init__(self, name: str) -> None:
        self.key = key = _text(0x0A, name)
        self.decimal = _TAG + _varint(len(key) + 11) + key + b"\x12\x09\x21"
        self._numbers = [_TAG + _varint(len(key) + 3 + size) + key + bytes((0x12, 1 + size, 0x18)) for size in range(5)]

    def numbered(self, value: int) -> bytes:
        """The attribute, a whole number of up to seven digits."""
        number = _SIZES[value] if value < _SIZED else _varint(value)
        return self._numbers[len(number)] + number

    def worded(self, value: str) -> bytes:
        """The attribute, a text."""
        text = value.encode("utf-8", "replace")
        size = len(text)
        inner = b"\x0a" + (_SIZES[size] if size < _SIZED else _varint(size))
        size += len(inner)
        outer = b"\x12" + (_SIZES[size] if size < _SIZED else _varint(size))
        size += len(outer) + len(self.key)
        return b"".join((_TAG, _SIZES[size] if size < _SIZED else _varint(size), self.key, outer, inner, text))


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
