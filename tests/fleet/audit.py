"""What must hold in the database whatever was done to those who write to it."""

from typing import Any

import asyncpg

# Each finds what must not be. `lease` is $1 where a worker's age counts.
_NEVER = {
    "a gap in a journal": """
        SELECT run, count(*), max(seq) FROM events GROUP BY run
        HAVING min(seq) <> 0 OR max(seq) <> count(*) - 1""",
    "two outcomes of one effect": """
        SELECT run, path, count(*) FROM (
            SELECT run, path, kind, count(*) FILTER (WHERE kind IN (9, 11)) OVER (PARTITION BY run ORDER BY seq) AS life
            FROM events) AS e
        WHERE kind IN (3, 4, 5, 6) GROUP BY run, life, path HAVING count(*) > 1""",
    "events after the end": """
        SELECT e.run, e.seq FROM events e JOIN events f ON f.run = e.run AND f.seq > e.seq AND f.kind <> 9
        WHERE e.kind IN (20, 21, 22, 24)
        AND NOT EXISTS (SELECT FROM events r WHERE r.run = e.run AND r.kind = 9 AND r.seq BETWEEN e.seq AND f.seq)""",
    "a run without its first event": """
        SELECT number FROM runs r WHERE NOT EXISTS (SELECT FROM events e WHERE e.run = r.number AND e.seq = 0)""",
    "events of no run": """
        SELECT DISTINCT run FROM events e WHERE NOT EXISTS (SELECT FROM runs r WHERE r.number = e.run)""",
    "an ended run whose journal does not say so": """
        SELECT number, status FROM runs r WHERE status IN ('succeeded', 'failed', 'cancelled', 'dead') AND NOT EXISTS (
            SELECT FROM events e WHERE e.run = r.number AND e.kind = CASE r.status
                WHEN 'succeeded' THEN 20 WHEN 'failed' THEN 21 WHEN 'cancelled' THEN 22 ELSE 24 END)""",
    "a run that goes on although its journal has an end": """
        SELECT number, status FROM runs r WHERE status IN ('ready', 'running', 'waiting')
        AND (SELECT kind FROM events e WHERE e.run = r.number ORDER BY seq DESC LIMIT 1) IN (20, 21, 22, 24)""",
    "an owner of a run that is not executed": """
        SELECT number, status, owner FROM runs WHERE (owner IS NOT NULL) <> (status = 'running')""",
    "a question of an ended run": """
        SELECT a.id FROM approvals a JOIN runs r ON r.number = a.run
        WHERE a.status = 'open' AND r.finished_at IS NOT NULL""",
    "letters beyond the counter": """
        SELECT i.run, i.seq FROM inbox i JOIN runs r ON r.number = i.run WHERE i.seq > r.inbox_seq""",
    "a child that outlives its parent": """
        SELECT c.number FROM runs c JOIN runs p ON p.number = c.parent
        WHERE NOT c.detached AND c.finished_at IS NULL AND p.finished_at < extract(epoch FROM now()) - 30""",
    "an account that holds other than effects hold of it": """
        SELECT a.tenant, a.name, a.held_calls, h.calls FROM budget_accounts a
        FULL JOIN (SELECT tenant, account, sum(cost) AS cost, sum(tokens) AS tokens, sum(calls) AS calls,
                   sum(millis) AS millis FROM budget_holds GROUP BY tenant, account) AS h
        ON h.tenant = a.tenant AND h.account = a.name
        WHERE (a.held_cost, a.held_tokens, a.held_calls, a.held_millis) IS DISTINCT FROM
              (coalesce(h.cost, 0), coalesce(h.tokens, 0), coalesce(h.calls, 0), coalesce(h.millis, 0))""",
    "a booking that was made twice": "SELECT run, what, count(*) FROM bookings GROUP BY run, what HAVING count(*) > 1",
}
# What must not be once all is quiet and those who died were seen to.
_IN_THE_END = {
    "a run that somebody executes still": "SELECT number, owner FROM runs WHERE status = 'running'",
    "a run that nobody claims": "SELECT number, flow, deaths FROM runs WHERE status = 'ready'",
    "a run that nothing wakes": """
        SELECT number, flow FROM runs r WHERE status = 'waiting' AND wake_at IS NULL
        AND NOT EXISTS (SELECT FROM approvals a WHERE a.run = r.number AND a.status = 'open')""",
    "a run that overslept": """
        SELECT number, flow FROM runs WHERE status = 'waiting' AND wake_at < extract(epoch FROM now()) - 30""",
    "letters in ended runs": """
        SELECT i.run, i.name, r.flow, r.status FROM inbox i JOIN runs r ON r.number = i.run
        WHERE r.finished_at IS NOT NULL AND i.name <> 'cancel'""",
}
# When each run was claimed and by whom, by the database's own clock, whatever those who claim have to say about it.
NOTED = (
    "CREATE TABLE claimed (run bigint, owner text, at timestamptz)",
    "CREATE FUNCTION note_claim() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "INSERT INTO claimed VALUES (new.number, new.owner, clock_timestamp()); RETURN NULL; END $$",
    "CREATE TRIGGER note_claim AFTER UPDATE OF owner ON runs FOR EACH ROW "
    "WHEN (new.owner IS NOT NULL AND new.owner IS DISTINCT FROM old.owner) EXECUTE FUNCTION note_claim()",
)
# Runs that had another owner later than their first, and all claims.
CLAIMS = (
    "SELECT count(*) FILTER (WHERE owners > 1), sum(claims) FROM (SELECT count(DISTINCT owner) AS owners, "
    "count(*) AS claims FROM claimed GROUP BY run) AS c"
)
_DEAD = """
    SELECT id, clock_timestamp() - beat AS silent FROM workers
    WHERE beat < clock_timestamp() - make_interval(secs => $1)"""


async def wrong(url: str, *, ended: bool = True, silence: float = 30.0) -> list[str]:
    """What is there that must not be. `ended`: no run goes on any more. `silence`: seconds after which a worker's row
    should have been cleared away."""
    db = await asyncpg.connect(url)
    try:
        found: list[str] = []
        queries: dict[str, str] = _NEVER | (_IN_THE_END if ended else {})
        for what, sql in queries.items():
            found += _words(what, await db.fetch(sql))
        return found + _words("a row of a dead worker", await db.fetch(_DEAD, silence))
    finally:
        await db.close()


def _words(what: str, rows: list[Any]) -> list[str]:
    more = [f"… and {len(rows) - 5} more: {what}"] if len(rows) > 5 else []
    return [f"{what}: {dict(row)}" for row in rows[:5]] + more
