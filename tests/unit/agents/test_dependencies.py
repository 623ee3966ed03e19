"""Every upstream of an app is listed with who stands on it, how it stands, and what nobody has decided."""

from pathlib import Path

import pytest

import callboard as cb
from callboard.agents.surroundings import Surroundings
from callboard.domain.errors import NotFound
from callboard.models import ModelInfo, ScriptedModel
from callboard.testing import runtime
from tests.unit.agents.shopping import Shop


class Elsewhere:
    """A model of somebody else's."""

    def __init__(self, name: str, upstream: str) -> None:
        self.name = name
        self.info = ModelInfo(name=name, provider="elsewhere", upstream=upstream)

    def stream(self, request: object) -> object:
        raise AssertionError("nobody asks")


def sample() -> cb.App:
    app, shop = cb.App("sample"), Shop()
    app.upstream("shop", otherwise="fail", concurrency=3)
    app.upstream("spare")
    app.tool(effect="read", upstream="shop", name="order")(shop.answer)
    app.tool(effect="once", name="alone")(shop.answer)
    app.model("big", Elsewhere("big", "provider"))  # type: ignore[arg-type]
    app.model("small", Elsewhere("small", "other"))  # type: ignore[arg-type]
    app.route("smart", "big", "small")
    app.agent("clerk", route="smart")
    app.agent("lone", model="big")
    app.agent("played", model=ScriptedModel(["hello"]))
    app.agent("lost", model="openai:gpt-5")
    return app


async def test_all_upstreams_are_there_with_their_users_and_what_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with runtime(sample()) as test:
        found = {each.name: each for each in await test.rt.upstreams.all()}
    users = {name: [(user.what, user.name, user.by) for user in each.users] for name, each in found.items()}
    assert users == {
        "shop": [("tool", "order", "")],
        "spare": [],
        "tool:alone": [("tool", "alone", "")],
        "provider": [("model", "big", "route smart"), ("model", "big", "agent lone")],
        "other": [("model", "small", "route smart")],
        "scripted": [("model", "scripted", "agent played")],
        "openai": [("model", "openai:gpt-5", "agent lost")],
    }
    assert {name for name, each in found.items() if each.open} == {"tool:alone", "provider", "openai"}
    assert {name for name, each in found.items() if each.declared} == {"shop", "spare"}
    assert found["shop"].policy["concurrency"] == 3
    assert found["provider"].users[0].fails.startswith("next candidate small; each has 4 tries")
    assert (found["shop"].state["phase"], found["shop"].state["calls"]) == ("closed", 0)


async def test_a_breaker_that_was_opened_elsewhere_is_seen_and_closed_by_hand(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'store.db'}"
    async with cb.open(sample(), store) as rt, cb.open(None, store, worker=False) as door:
        gate = rt.services.carried[Surroundings].upstreams.gate("shop")
        for _ in range(5):
            with pytest.raises(OSError):
                async with gate.enter():
                    raise OSError("no route")
        before = await door.upstreams.reset("shop")
        assert (before["phase"], before["why"]) == ("open", "no route")
        assert (await gate.look()).phase == "closed"
        with pytest.raises(NotFound):
            await door.upstreams.reset("shpo")
