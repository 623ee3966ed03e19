"""What runs cost, by the command: in all, and for each that succeeded."""

import apsw
import pytest

from tests.acceptance.cli.desk import Desk

APP = """
    from callboard.domain.errors import ModelFailed
    from callboard.domain.kinds import ErrorKind
    from callboard.domain.message import Message, Role, Text
    from callboard.domain.usage import Usage
    from callboard.models import ModelResponse
    from callboard.models.info import ModelInfo, Price
    from callboard.testing import ScriptedModel

    price = Price(1_000_000, 2_000_000, 100_000, source="list 7")

    def answer(request):
        said = request.messages[-1].text
        usage = Usage(100, 50, cached_tokens=40)
        usage = Usage(100, 50, price.of(usage), 40)
        if "refuse" in said:
            raise ModelFailed("no", kind=ErrorKind.INVALID_REQUEST)
        return ModelResponse(Message(Role.ASSISTANT, (Text("ok"),)), usage, model="m1", provider="acme", price=price)

    model = ScriptedModel(answer)
    model.info = ModelInfo(name="m1", provider="acme", upstream="acme", price=price)
    clerk = app.agent("clerk", model=model)

    @app.flow
    async def ask(ctx: cb.Context, text: str) -> str:
        return await clerk.run(ctx, text)

    @app.flow
    async def flow(ctx: cb.Context, ticket: Ticket) -> str:
        if ticket.text == "child":
            return await ctx.spawn(ask, "below")
        await clerk.run(ctx, "first")
        return await clerk.run(ctx, ticket.text)
"""
CENTS = 60 + 4 + 100  # micro-dollars of a call


@pytest.fixture
def done(desk: Desk) -> Desk:
    desk.app(APP)
    desk.input([{"id": "a", "text": "fine"}, {"id": "b", "text": "refuse"}, {"id": "c", "text": "child"}])
    desk.run(expect=1)
    return desk


def test_money_of_failed_runs_is_divided_among_those_that_succeeded(done: Desk) -> None:
    (only,) = [each for each in done.json("costs") if each["flow"] == "all"]
    money = 4 * CENTS / 1e6
    assert only["runs"] == 3
    assert only["succeeded"] == 2
    assert only["cost_usd"] == pytest.approx(money)
    assert only["cost_per_success_usd"] == pytest.approx(money / 2)
    assert only["wasted_usd"] == pytest.approx(CENTS / 1e6)
    assert only["tokens"] == 600
    assert only["cached_share"] == pytest.approx(0.4)
    flows = {each["flow"]: (each["runs"], each["succeeded"]) for each in done.json("costs", "--by", "flow")}
    assert flows == {"flow": (3, 2), "ask": (1, 1), "all": (3, 2)}


def test_days_and_tenants_are_summed_too(done: Desk) -> None:
    (day,) = done.json("costs", "--by", "day")
    assert len(day["day"]) == len("2026-11-21")
    assert (day["runs"], day["succeeded"]) == (3, 2)
    found = done.json("costs", "--by", "tenant", "--tenant", "default", "--tenant", "other")
    assert [(each["tenant"], each["runs"]) for each in found] == [("default", 3)]
    assert [each["tenant"] for each in done.json("costs", "--by", "tenant")] == ["default"]  # all that there are
    assert done.json("costs", "--tenant", "other")[0]["runs"] == 0
    assert done.json("costs", "--by", "day", "--since", "1s")[-1]["runs"] in (0, 3)


def test_models_and_agents_are_summed_with_what_caches_saved(done: Desk) -> None:
    (model,) = done.json("costs", "--by", "model")
    assert model["model"] == "scripted"  # as the app names it
    assert (model["calls"], model["runs"], model["succeeded"]) == (4, 3, 2)
    assert model["saved_by_provider_usd"] == pytest.approx(4 * 36 / 1e6)
    assert model["wasted_usd"] == pytest.approx(CENTS / 1e6)
    assert model["cost_per_success_usd"] == pytest.approx(4 * CENTS / 1e6 / 2)
    (agent,) = done.json("costs", "--by", "agent")
    assert agent["agent"] == "clerk"
    shown = done("costs", "--by", "agent").stdout
    assert "saved by answers kept" in shown and "not attributed" not in shown


def test_what_runs_spent_before_it_was_kept_for_whom_is_a_row_of_its_own(done: Desk) -> None:
    """As a store of a version before this one has it."""
    (path,) = done.folder.glob("*.db")
    db = apsw.Connection(str(path))
    db.execute("DELETE FROM run_costs WHERE run = (SELECT max(run) FROM run_costs)")
    db.close()
    found = {each["agent"]: each["cost_usd"] for each in done.json("costs", "--by", "agent")}
    assert found["clerk"] + found["(not attributed)"] == pytest.approx(found["all"]) == pytest.approx(4 * CENTS / 1e6)
    assert "before this store kept" in done("costs", "--by", "model").stdout


def test_a_list_of_runs_ends_with_what_each_success_cost(done: Desk) -> None:
    assert "$0.000656 in all, $0.000328 for each of 2 that succeeded" in done("runs", "list").stdout
    assert "and none succeeded" in done("runs", "list", "--status", "failed").stdout


def test_what_cannot_be_summed_is_refused(done: Desk) -> None:
    assert "flow, version, status, agent, model, day, tenant" in done("costs", "--by", "moon", expect=2).stderr
