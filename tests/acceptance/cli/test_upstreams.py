"""`callboard upstreams` lists what an app depends on; `callboard doctor APP` reports what has no decision."""

from tests.acceptance.cli.desk import Desk

SOURCE = """
    app.upstream("shop", otherwise="fail", breaker={"failures": 2, "open_for": 3600})

    @app.tool(effect="read", upstream="shop", retry=cb.Retry(attempts=1))
    async def order(order_id: str) -> str:
        raise cb.UpstreamDown("no route to the shop")

    @app.tool(effect="once")
    async def post(letter: str) -> str:
        return letter

    @app.flow
    async def flow(ctx: cb.Context, ticket: Ticket) -> str:
        return await order.call(ctx, order_id=ticket.id)
"""


def test_what_an_app_depends_on_is_listed_before_it_ever_ran(desk: Desk) -> None:
    desk.app(SOURCE)
    found = {each["name"]: each for each in desk.json("upstreams", "desk")}
    assert set(found) == {"shop", "tool:post"}
    assert [(user["name"], user["effect"]) for user in found["shop"]["users"]] == [("order", "read")]
    assert (found["shop"]["open"], found["shop"]["state"]["phase"]) == ("", "closed")
    assert "fallback= or on_failure=" in found["tool:post"]["open"]
    shown = desk("upstreams", "desk:app").stdout
    assert "without a decision: tool:post" in shown
    assert "in doubt a person is asked" in shown
    assert not list(desk.folder.glob("*.db"))


def test_an_upstream_that_is_left_alone_is_seen_and_can_be_called_again(desk: Desk) -> None:
    desk.app(SOURCE)
    desk.input([{"id": "t1"}, {"id": "t2"}])
    desk.run(expect=1)
    (shop,) = [each for each in desk.json("upstreams", "list", "desk") if each["name"] == "shop"]
    assert (shop["state"]["phase"], shop["state"]["recent"]) == ("open", 2)
    facts = {fact["name"]: fact for fact in desk.json("doctor", "desk", expect=1)}
    assert "no route to the shop" in facts["upstream shop"]["remedy"]
    assert "tool post" in facts["upstream tool:post"]["remedy"]
    desk("upstreams", "reset", "shop")
    facts = {fact["name"]: fact for fact in desk.json("doctor", "desk", expect=1)}
    assert facts["upstream shop"]["remedy"] is None
    assert "ever opened" in desk("upstreams", "reset", "shpo", expect=1).stderr
