"""The secret of webhooks on the command line."""

from tests.acceptance.cli.desk import Desk

DONE = """
    @app.flow
    async def flow(ctx: cb.Context, ticket: Ticket) -> str:
        return ticket.id
"""


def test_the_secret_is_shown_and_rotated(desk: Desk) -> None:
    desk.app(DONE)
    desk.input([{"id": "t1"}])
    desk.run()
    [first] = desk.json("webhooks", "secret")
    assert first["secret"].startswith("whsec_") and first["before"] is None
    [second] = desk.json("webhooks", "rotate", "--overlap", "2h")
    assert second["before"] == first["secret"] and second["before_until"] > 0
    assert desk.json("webhooks", "secret") == [second]
    assert "is not within" in desk("webhooks", "rotate", "--overlap", "90d", expect=2).stderr
    actions = [each["action"] for each in desk.json("audit", "list")]
    assert actions == ["webhooks:secret", "webhooks:rotate", "webhooks:secret"]
    assert first["secret"] not in str(desk.json("audit", "list"))
