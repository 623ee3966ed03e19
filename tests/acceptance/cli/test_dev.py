"""`callboard dev` serves an app on one address, follows what its author does, and ends with its terminal."""

import os
import signal
import socket
from typing import Any

import httpx2
import psutil
import pytest

from tests.acceptance.cli.desk import Desk
from tests.browser.served import Served

APP = """
ANSWER = "the old code"

async def answer(name: str) -> str:
    return note(ANSWER)

@app.flow
async def flow(ctx: cb.Context, ticket: Ticket) -> str:
    await ctx.step(note, ticket.id)
    await ctx.wait("go")
    return await ctx.step(answer, ticket.id)
"""


def ask(served: Served, path: str, body: dict[str, Any] | None = None) -> Any:
    headers = {"Authorization": f"Bearer {served.key}"}
    method = "GET" if body is None else "POST"
    answer = httpx2.request(method, f"{served.address}{path}", json=body, headers=headers, timeout=30)
    assert answer.is_success, answer.text
    return answer.json()


def test_a_run_survives_that_its_code_is_broken_and_mended(desk: Desk) -> None:
    desk.app(APP)
    served = Served(desk.folder, "desk", home=desk.folder, reload=True)
    try:
        run = ask(served, "/v1/runs", {"flow": "flow", "input": {"id": "t1"}})
        desk.until(lambda: desk.effects() == ["t1"])
        desk.app("def broken(:")
        said = served.wait_for("waiting until a file changes")
        assert "desk cannot be imported" in said
        assert "SyntaxError" in said
        desk.app(APP.replace("old", "new"))
        said = served.wait_for("began anew after desk.py", len(said))
        assert said.count("token=") == 1  # the address is shown once; who is logged in stays so
        ask(served, f"/v1/runs/{run['id']}/signal", {"name": "go"})
        found = ask(served, f"/v1/runs/{run['id']}/result?wait=20")
        assert found["output"] == "the new code"
        assert desk.effects() == ["t1", "the new code"]
    finally:
        code = served.close(signal.SIGINT)
    assert code == 0, served.said
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(served.address, timeout=5)


def test_nothing_is_left_when_its_supervisor_is_killed(desk: Desk) -> None:
    desk.app(APP)
    served = Served(desk.folder, "desk", home=desk.folder)
    (child,) = psutil.Process(served.pid).children()
    os.kill(served.pid, signal.SIGKILL)
    served.close()
    assert not psutil.wait_procs([child], timeout=60)[1]


def test_what_cannot_be_served_is_said_at_once(desk: Desk) -> None:
    desk.app(APP)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        err = desk("dev", "desk", "--port", port, expect=2).stderr
    assert f"--port {port} cannot be listened to" in err
    assert "do: choose another port" in err
    assert "there is no module dekc" in desk("dev", "dekc", expect=2).stderr
