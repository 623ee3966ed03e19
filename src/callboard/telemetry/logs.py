"""How a process logs: as Python does by itself, or each line as JSON that knows its run and its trace."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

from callboard.domain.errors import InputInvalid
from callboard.telemetry.current import place
from callboard.telemetry.redaction import without_secrets

_OURS = "callboard"


def log_as(form: str, service: str = _OURS, stream: TextIO | None = None) -> None:
    """Sets up the logging of a process that is ours, once, when it begins: `json` or `text`.

    Text stays as Python's own default. JSON lines have `time`, `level`, `logger`, `message`, `service`, and within a
    run `run_id`, `tenant`, `flow`, `trace_id`, `span_id`; secrets in them are taken out. They go to standard error.

    Raises InputInvalid when structlog is missing.
    """
    if form != "json":
        return
    try:
        from structlog.processors import EventRenamer, JSONRenderer, TimeStamper, dict_tracebacks
        from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name
    except ImportError as error:
        raise InputInvalid(
            "logging as JSON needs structlog", why=str(error), remedy='pip install "callboard[telemetry]"'
        ) from error

    def named(logger: Any, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line["service"] = service
        return line

    shared: list[Any] = [
        add_log_level,
        add_logger_name,
        ExtraAdder(),
        TimeStamper(fmt="iso", utc=True, key="time"),
        named,
        _placed,
    ]
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                ProcessorFormatter.remove_processors_meta,
                dict_tracebacks,
                EventRenamer("message"),
                _clean,
                JSONRenderer(ensure_ascii=False, default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    if root.level > logging.INFO:
        root.setLevel(logging.INFO)


def _placed(logger: Any, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Adds the run in which the line is written, and its place in the trace."""
    here = place()
    if here is not None:
        context = here.context
        line["run_id"] = here.run.id
        line["tenant"] = here.run.tenant
        line["flow"] = here.run.flow
        line["trace_id"] = context.trace_id
        line["span_id"] = context.span_id
        if here.path:
            line["path"] = here.path
    return line


def _clean(logger: Any, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Takes secrets out. Frames' variables are not told at all: nobody knows what is in them."""
    return {name: _cleaned(name, value) for name, value in line.items()}


_EXACT = frozenset({"run_id", "tenant", "flow", "trace_id", "span_id", "path", "time", "level", "logger", "service"})


def _cleaned(name: str, value: Any) -> Any:
    if name in _EXACT:
        return value
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {key: _cleaned("", each) for key, each in value.items() if key != "locals"}
    return [_cleaned("", each) for each in value] if isinstance(value, list | tuple) else value
