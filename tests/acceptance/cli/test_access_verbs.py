"""Keys, people and the record on the command line; what other verbs change is recorded as well."""

import subprocess

import apsw

from tests.acceptance.cli.desk import COMMAND, Desk

WAITING = """
    @app.flow
    async def flow(ctx: cb.Context, ticket: Ticket) -> str:
        return (await ctx.ask({"pay": ticket.id})).by
"""


def typed(desk: Desk, line: str, *args: str) -> "subprocess.CompletedProcess[str]":
    """The command with a line on its standard input."""
    return subprocess.run(
        [*COMMAND, *args],
        cwd=desk.folder,
        env=desk.environment,
        input=f"{line}\n",
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_keys_people_and_deeds_on_one_store(desk: Desk) -> None:
    desk.app(WAITING)
    desk.input([{"id": "t1"}, {"id": "t2"}])
    desk.run(expect=1)
    [key] = desk.json("keys", "create", "billing", "--role", "operator", "--flow", "flow", "--expires", "30d")
    [new] = desk.json("keys", "rotate", key["id"])
    assert new["replaces"] == key["id"] and new["key"] != key["key"]
    desk("keys", "revoke", new["id"])
    assert [each["state"] for each in desk.json("keys", "list")] == ["revoked", "good"]
    assert key["key"] not in desk("keys", "list").stdout
    assert "is no role" in desk("keys", "create", "x", "--role", "king", expect=2).stderr
    approvals = desk.json("approvals", "list")
    desk("approvals", "approve", approvals[0]["id"], "--by", "mia")
    desk("runs", "cancel", approvals[1]["run_id"], "--reason", "a mistake")
    desk("pause", "flow", "flow", "--by", "ops")
    desk("budgets", "set", "tenant", "*", "--tenant", "*", "--usd", "5")
    desk("upstreams", "reset", "nothing", expect=1)
    deeds = desk.json("audit", "list")
    assert [(each["name"], each["action"], each["outcome"]) for each in deeds[:6]] == [
        (deeds[0]["name"], "fleet:reset", "not_found"),
        (deeds[0]["name"], "fleet:reset", "done"),
        (deeds[0]["name"], "budgets:set", "done"),
        ("ops", "fleet:pause", "done"),
        (deeds[0]["name"], "runs:cancel", "done"),
        ("mia", "approvals:decide", "done"),
    ]
    assert {each["source"] for each in deeds} == {"cli"}
    assert desk.json("audit", "list", "--action", "keys:*", "--limit", "1")[0]["action"] == "keys:revoke"
    head = desk("audit", "head").stdout.strip()
    assert desk.json("audit", "verify", "--head", head)[0]["whole"]
    store = desk.folder / "callboard.db"
    with apsw.Connection(str(store)) as db:  # whoever owns the file can do this, but not unseen
        triggers = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")]
        for name in triggers:
            db.execute(f'DROP TRIGGER "{name}"')
        db.execute("DELETE FROM access_audit WHERE number = (SELECT max(number) FROM access_audit)")
    assert desk.json("audit", "verify")[0]["whole"]
    assert desk.json("audit", "verify", "--head", head, expect=1)[0]["found"].endswith("is not there any more")
    with apsw.Connection(str(store)) as db:
        db.execute("UPDATE access_audit SET actor = 'local:nobody' WHERE number = 3")
    assert "entry 3 is not as it was sealed" in desk("audit", "verify", expect=1).stdout


def test_a_password_comes_from_stdin_and_is_shown_nowhere(desk: Desk) -> None:
    desk.app("""
    @app.flow
    async def flow(ctx: cb.Context, ticket: Ticket) -> str:
        return ticket.id
    """)
    desk.input([{"id": "t1"}])
    desk.run()
    added = typed(desk, "a long password", "people", "add", "mia", "--role", "approver", "--name", "Mia", "--json")
    assert added.returncode == 0, added.stderr
    assert '"mia"' in added.stdout and "password" not in added.stdout
    short = typed(desk, "short", "people", "password", "mia")
    assert "the password has 5 characters" in short.stderr
    desk("people", "disable", "mia")
    assert desk.json("people", "list")[0]["state"] == "disabled"
    desk("people", "enable", "mia")
    assert [each["action"] for each in desk.json("audit", "list")] == ["people:enable", "people:disable", "people:add"]
    assert "a long password" not in desk("audit", "list").stdout
