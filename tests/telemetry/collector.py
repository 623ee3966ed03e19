"""A collector as OpenTelemetry's are from outside: OTLP over HTTP, protobuf. It keeps what it gets, or misbehaves."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Told:
    """One span as it arrived, in plain values."""

    trace: str
    id: str
    parent: str
    name: str
    kind: int
    start: int
    end: int
    facts: dict[str, Any]
    status: int
    said: str
    events: tuple[tuple[str, dict[str, Any]], ...]
    links: tuple[tuple[str, str], ...]
    resource: dict[str, Any]
    schema: str
    sampled: bool


@dataclass
class Collector:
    """`mode` is ok, or the status to answer, or `hang`."""

    mode: str = "ok"
    spans: list[Told] = field(default_factory=list)
    metrics: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    requests: int = 0
    url: str = ""
    changed: threading.Condition = field(default_factory=threading.Condition)
    over: threading.Event = field(default_factory=threading.Event)

    def wait(self, enough: Any, seconds: float = 10.0) -> list[Told]:
        """Until `enough(spans)` holds."""
        with self.changed:
            assert self.changed.wait_for(lambda: enough(self.spans), seconds), [span.name for span in self.spans]
            return list(self.spans)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        self.requests += 1
        if self.mode == "hang":
            self.over.wait(60)
            return 503
        if self.mode != "ok":
            return int(self.mode)
        assert headers["content-type"] == "application/x-protobuf"
        with self.changed:
            self.headers.append(headers)
            if path.endswith("/v1/traces"):
                self.spans += spans_in(body)
            elif path.endswith("/v1/metrics"):
                self.metrics += metrics_in(body)
            else:
                return 404
            self.changed.notify_all()
        return 200


@contextmanager
def collecting(mode: str = "ok") -> Iterator[Collector]:
    """A collector on a port of its own."""
    found = Collector(mode)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = found.take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.over.set()
        server.shutdown()
        server.server_close()


def spans_in(body: bytes) -> list[Told]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        Told(
            trace=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            name=span.name,
            kind=span.kind,
            start=span.start_time_unix_nano,
            end=span.end_time_unix_nano,
            facts=_facts(span.attributes),
            status=span.status.code,
            said=span.status.message,
            events=tuple((event.name, _facts(event.attributes)) for event in span.events),
            links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
            resource=_facts(group.resource.attributes),
            schema=scope.schema_url,
            sampled=bool(span.flags & 1),
        )
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def metrics_in(body: bytes) -> list[Any]:
    request = ExportMetricsServiceRequest.FromString(body)
    return [metric for group in request.resource_metrics for scope in group.scope_metrics for metric in scope.metrics]


def _facts(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind)
