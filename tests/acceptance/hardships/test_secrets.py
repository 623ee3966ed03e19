"""A provider that says the key back to us: it stands nowhere afterwards."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

import callboard as cb
from callboard.agents.surroundings import Surroundings
from callboard.testing import TestRuntime, runtime
from callboard.testing.chaos import chaos
from tests.acceptance.cli.desk import Desk

KEY = "sk-very-secret-0123456789abcdefghij"


def answer(way: str, said: str) -> tuple[int, str, bytes]:
    """Status, content type and body."""
    error = {"error": {"message": f"bad header Authorization: {said}", "type": "server_error", "code": said}}
    if way.startswith("far"):  # where a clipped message may end in the midst of it
        error["error"] = {"message": "x" * int(way[3:]) + said}
        return 400, "application/json", json.dumps(error).encode()
    if way.isdigit():
        return int(way), "application/json", json.dumps(error).encode()
    if way == "page":
        return 500, "text/html", f"<html>you sent {said}</html>".encode()
    if way == "page200":
        return 200, "text/html", f"<html>you sent {said}</html>".encode()
    if way == "stream":
        return 200, "text/event-stream", f"data: {json.dumps(error)}\n\ndata: [DONE]\n\n".encode()
    if way == "broken":
        return 200, "text/event-stream", f'data: {{"choices": "{said}\n\n'.encode()
    raise AssertionError(way)


@contextmanager
def echoing(way: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, kind, body = answer(way, self.headers["Authorization"])
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Request-Id", self.headers["Authorization"])
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def app_of(url: str, tmp_path: Path) -> cb.App:
    config = tmp_path / "callboard.toml"
    config.write_text(
        f'[models.local]\nreference = "openai-compatible:x"\nurl = "{url}"\nkey_env = "LOCAL_KEY"\n'
        "[upstreams.openai-compatible]\nretry = { attempts = 2, first = 0.0 }\n"
    )
    app = cb.App("secret", config=config)
    app.agent("clerk", model="local")
    return app


WAYS = ["400", "401", "403", "404", "429", "500", "503", "page", "page200", "stream", "broken"]
WAYS += [f"far{n}" for n in (150, 165, 180, 260, 275, 470, 480, 980)]


def clean(where: str, text: str) -> None:
    assert KEY not in text, f"the key is in {where}: {text[:500]}"
    assert KEY[:20] not in text, f"most of the key is in {where}: {text[:500]}"


@pytest.mark.parametrize("way", WAYS)
async def test_a_key_that_is_said_back_stands_nowhere(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LOCAL_KEY", KEY)
    caplog.set_level(logging.DEBUG, logger="callboard")
    with echoing(way) as url:
        async with runtime(app_of(url, tmp_path), tmp_path / "x.db") as test:
            handle = await test.start("clerk", "go")
            await ended(test, handle)
            with pytest.raises(cb.RunFailed) as caught:
                await handle.result(timeout=30)
            clean("the error", f"{caught.value!r} {vars(caught.value.error)}")
            cause: BaseException | None = caught.value
            while cause is not None:
                clean("a cause", repr(cause))
                cause = cause.__cause__ or cause.__context__
            for gate in test.rt.services.carried[Surroundings].upstreams.all():
                clean("upstreams", str(await gate.look()))
            for event in await test.rt.store.journal.read("default", handle.id):
                clean("the journal", event.body.decode())
            clean("the run", str(await handle.run()))
    clean("the log", caplog.text)
    for path in tmp_path.glob("x.db*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path


async def ended(test: TestRuntime, handle: cb.RunHandle) -> None:
    for _ in range(20):
        await test.wind(100)
        if (await handle.status()).ended:
            return
    raise AssertionError("it did not end")


async def test_a_password_in_an_address_stands_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="callboard")
    url = f"http://anna:{KEY}@127.0.0.1:9/v1"
    app = app_of(url, tmp_path)
    (tmp_path / "callboard.toml").write_text((tmp_path / "callboard.toml").read_text().replace("LOCAL_KEY", "HOME"))
    async with runtime(app) as test:
        handle = await test.start("clerk", "go")
        await ended(test, handle)
        with pytest.raises(cb.RunFailed) as caught:
            await handle.result(timeout=30)
        clean("the error", f"{caught.value!r} {vars(caught.value.error)}")
        for event in await test.rt.store.journal.read("default", handle.id):
            clean("the journal", event.body.decode())
    clean("the log", caplog.text)


async def test_a_chaos_report_has_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_KEY", KEY)
    with echoing("500") as url:
        async with chaos(app_of(url, tmp_path), [{"kind": "503", "nth": 1}]) as storm:
            await storm.run("clerk", "go")
            report = storm.report()
            clean("the report", report.text() + msgspec.json.encode(report).decode())


@pytest.mark.parametrize("way", ["401", "500", "stream"])
def test_the_command_line_shows_no_key(way: str, desk: Desk) -> None:
    with echoing(way) as url:
        desk.environment |= {"LOCAL_KEY": KEY, "CALLBOARD_DEBUG": "1", "CALLBOARD_CONFIG": "callboard.toml"}
        app_of(url, desk.folder)
        (desk.folder / "secret.py").write_text("""
import callboard as cb

app = cb.App("secret")
clerk = app.agent("clerk", model="local")
""")
        desk.input(['"go"'])
        verbs = [
            ["run", "secret:clerk", "--input", "in.jsonl", "--output", "out.jsonl"],
            ["runs", "list"],
            ["upstreams", "list", "secret:app"],
            ["doctor", "secret:app"],
        ]
        for verb in verbs:
            done = desk(*verb, expect=None)
            clean(" ".join(verb), done.stdout + done.stderr)
        clean("the output", (desk.folder / "out.jsonl").read_text())
