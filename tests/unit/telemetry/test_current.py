"""The code of a tool knows its place in a trace, and so do those whom it calls and the lines that it logs."""

import asyncio
import io
import json
import logging
import subprocess
import sys

import callboard as cb
from callboard.telemetry.logs import log_as
from callboard.telemetry.trace import effect_span, read_parent

app = cb.App("placed")
log = logging.getLogger("placed.shop")


@app.tool(effect="read")
async def ask(q: str) -> str:
    """Asks somebody else."""
    inner = await asyncio.gather(asyncio.to_thread(cb.traceparent), nested())
    assert len({*inner, cb.traceparent()}) == 1
    log.warning("asked with token=abcdef123 for mia", extra={"customer": 7})
    return str(inner[0])


async def nested() -> str | None:
    return cb.traceparent()


def plain() -> str:
    return str(cb.traceparent())


@app.flow
async def shop(ctx: cb.Context, q: str) -> list[str]:
    log.info("in the flow")
    await ctx.step(plain, name="alone")
    log.info("behind an effect")
    return await ctx.gather(ask.call(ctx, q=q), ctx.step(plain))


async def test_a_tool_and_a_step_know_their_span_and_a_door_has_none() -> None:
    caller = f"00-{'a' * 32}-{'b' * 16}-00"
    async with cb.open(app, "sqlite://") as rt:
        assert cb.traceparent() is None
        handle = await rt.start(shop, "x", trace=caller)
        tool, step = await handle.result()
        assert tool == effect_span(handle.id, caller, "1.0/0:ask").header
        assert step == effect_span(handle.id, caller, "1.1/0:plain").header
        assert tool.startswith(f"00-{'a' * 32}-")
        assert tool.endswith("-00"), "who began the trace does not want it recorded"
        alone = await rt.start(shop, "x", trace="no header at all")
        first, second = await alone.result()
        assert (await rt.store.runs.get("default", alone.id)).trace is None
        a, b = read_parent(first), read_parent(second)
        assert a is not None
        assert b is not None
        assert a.trace_id == b.trace_id != "a" * 32


async def test_lines_within_a_run_say_which_and_hold_no_secret() -> None:
    root, lines = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    try:
        log_as("json", "shop-worker", lines)
        async with cb.open(app, "sqlite://") as rt:
            log.info("outside")
            handle = await rt.start(shop, "x")
            span = str((await handle.result())[0]).split("-")
            try:
                raise ValueError("Bearer abcdefghijklmnop")
            except ValueError:
                log.exception("gone wrong")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    found = {line["message"]: line for line in map(json.loads, lines.getvalue().splitlines())}
    asked = found["asked with token=[secret] for mia"]
    assert (asked["run_id"], asked["tenant"], asked["flow"]) == (handle.id, "default", "shop")
    assert (asked["trace_id"], asked["span_id"]) == (span[1], span[2])
    assert (asked["level"], asked["logger"], asked["service"], asked["customer"]) == (
        "warning", "placed.shop", "shop-worker", 7,
    )  # fmt: skip
    assert found["in the flow"]["trace_id"] == span[1]
    assert found["in the flow"]["span_id"] != span[2]
    assert found["behind an effect"]["span_id"] == found["in the flow"]["span_id"]
    assert "run_id" not in found["outside"]
    assert "abcdefgh" not in lines.getvalue()


def test_clients_that_opentelemetry_instruments_join_the_trace() -> None:
    """In a process of its own: a tracer provider is set once for good."""
    code = """
import asyncio, callboard as cb
from opentelemetry import trace, propagate
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
app = cb.App("x")
@app.tool(effect="read")
async def ask(q: str) -> list[str]:
    "Asks."
    carrier = {}
    with trace.get_tracer("client").start_as_current_span("GET") as span:
        propagate.inject(carrier)
    return [cb.traceparent(), f"{span.parent.span_id:016x}", carrier["traceparent"]]
@app.flow
async def flow(ctx: cb.Context, q: str) -> list[str]:
    return await ask.call(ctx, q=q)
async def main():
    async with cb.open(app, "sqlite://") as rt:
        own, parent, sent = await rt.run(flow, "x")
        assert parent == own.split("-")[2], (parent, own)
        assert sent.split("-")[1] == own.split("-")[1]
        assert not trace.get_current_span().get_span_context().is_valid
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
