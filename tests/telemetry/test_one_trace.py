"""A run that crosses processes arrives at a collector as one trace, whole, and as the conventions ask for it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import callboard as cb
from callboard.connections.postgres import Database
from callboard.settings import Settings, TelemetrySettings
from callboard.store.postgres.migrate import migrate
from tests.servers.apart import apart
from tests.telemetry.collector import Collector, Told, collecting
from tests.telemetry.conventions import faults
from tests.telemetry.troupe import app, outer


async def test_door_worker_tool_and_child_run_of_a_fleet_are_one_trace(new_database: Callable[[str], str]) -> None:
    url = new_database("telemetry")
    apart(migrate(Database(url)))
    with collecting() as collector, working(url, collector, "left"), working(url, collector, "right"):
        settings = Settings(store=url, telemetry=TelemetrySettings(endpoint=collector.url, service="door"))
        caller = f"00-{'c' * 32}-{'d' * 16}-01"
        async with cb.open(app, settings=settings, worker=False) as rt:
            request = rt.telemetry.request(caller)
            handle = await rt.start(outer, "hi", trace=request.header, by="key:k1", labels={"session": "s1"})
            request.end(method="POST", route="/v1/runs", status=201)
            result = await handle.result(60)
        spans = collector.wait(lambda got: any(span.name == "invoke_workflow outer" for span in got), 20)
        spans = collector.wait(lambda got: any(span.name == "invoke_workflow inner" for span in got), 20)
    assert not faults(spans)
    assert {span.trace for span in spans} == {"c" * 32}
    ids = {span.id for span in spans}
    assert len(ids) == len(spans)
    assert [span.name for span in spans if span.parent not in ids] == ["POST /v1/runs"], "every parent is there"
    assert next(span for span in spans if span.name == "POST /v1/runs").parent == "d" * 16

    by = {span.id: span for span in spans}
    inner = next(span for span in spans if span.name == "invoke_workflow inner")
    assert path_of(inner, by) == [
        "POST /v1/runs", "invoke_workflow outer", "spawn inner", "invoke_workflow inner",
    ]  # fmt: skip
    assert [len({span.resource["service.instance.id"] for span in spans}), inner.resource["service.name"]] == [
        3,
        "right",
    ]
    # What a tool hands on is its own span, in whichever process.
    for text, place in ((result["inner"], inner), (result["own"], by[inner.parent])):
        found = by[text.split("-")[2]]
        assert found.name == "execute_tool header"
        assert path_of(found, by)[1] == path_of(place, by)[1]
    assert by[result["inner"].split("-")[2]].parent == inner.id

    chats = [span for span in spans if span.name == "chat scripted"]
    assert len(chats) == 3
    assert {path_of(chat, by)[-2] for chat in chats} == {"invoke_agent helper"}
    assert all(chat.facts["gen_ai.usage.input_tokens"] > 0 for chat in chats)
    invented = next(span for span in spans if span.name == "execute_tool invented")
    assert (invented.facts["error.type"], invented.status) == ("unknown_tool", 2)
    tries = [span for span in spans if span.name == "execute_tool flaky"]
    assert [span.facts.get("callboard.attempt", 1) for span in sorted(tries, key=lambda each: each.start)] == [1, 2, 3]
    assert all(span.facts["error.type"] == "upstream_down" for span in tries)
    run = next(span for span in spans if span.name == "invoke_workflow outer")
    assert run.facts["callboard.started_by"] == "key:k1"
    assert run.facts["gen_ai.conversation.id"] == "s1"
    assert run.facts["callboard.cost_usd"] > 0
    told = repr([(span.facts, span.said, span.events) for span in spans])
    assert "mia@example.com" not in told, "content is off"
    assert "mail server" not in told, "and so are the words of errors"


def path_of(span: Told, by: dict[str, Told]) -> list[str]:
    return [*(path_of(by[span.parent], by) if span.parent in by else []), span.name]


@contextmanager
def working(store: str, collector: Collector, label: str) -> Iterator[None]:
    """A worker in a process of its own, that is told to end and ends by itself."""
    environment = os.environ | {
        "CALLBOARD_TELEMETRY_ENDPOINT": collector.url,
        "CALLBOARD_TELEMETRY_SERVICE": label,
        "CALLBOARD_TELEMETRY_LOG": "json",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-m", "callboard.apps.cli", "worker", "tests.telemetry.troupe", "--store", store]
    process = subprocess.Popen([*command, "--label", label], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=40)[1]
        assert process.returncode == 0, said
