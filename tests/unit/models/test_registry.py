from collections.abc import Callable

import pytest

import callboard as cb
from callboard.domain.errors import InputInvalid
from callboard.models import ScriptedModel
from callboard.models.model import Model
from callboard.models.registry import Models
from callboard.testing import runtime


class Held(ScriptedModel):
    """A model that holds a connection."""

    def __init__(self) -> None:
        super().__init__(["hello"])
        self.open = True

    async def close(self) -> None:
        self.open = False


def test_a_model_is_made_once() -> None:
    models = Models({}, lambda name: ScriptedModel([], name=name), ["local"])
    assert models.get("local") is models.get("local")


def test_a_name_that_nobody_has_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputInvalid, match="main"):
        Models({"main": ScriptedModel([])}, lambda name: ScriptedModel([])).get("mian")


async def test_what_was_made_here_is_closed_and_what_was_handed_in_is_not() -> None:
    made, given = Held(), Held()
    models = Models({"given": given}, lambda name: made, ["made"])
    assert [models.get("made"), models.get("given")] == [made, given]
    await models.close()
    assert (made.open, given.open) == (False, True)


async def test_one_that_cannot_be_closed_leaves_no_other_open(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(Held):
        async def close(self) -> None:
            raise ConnectionError("gone")

    made = {"stuck": Stuck(), "held": Held()}
    models = Models({}, made.__getitem__, list(made))
    for name in made:
        models.get(name)
    await models.close()
    assert not made["held"].open
    assert "gone" in caplog.text


async def test_a_runtime_that_closes_lets_go_of_the_models_that_it_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Held()

    def provided(configured: object) -> Callable[[str], Model]:
        return lambda name: made

    monkeypatch.setattr("callboard.agents.app.provided", provided)
    app = cb.App("held")
    agent = app.agent("agent", model="openai:gpt-5")
    async with runtime(app) as test:
        assert await test.run(agent, "go") == "hello"
        assert made.open
    assert not made.open
