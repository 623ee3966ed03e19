"""What PostgreSQL plans to do for a statement, as its connection would have it planned, and what that costs."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from callboard.store.postgres.line import BY_INDEX
from callboard.store.postgres.sql import statements

# Topics of connections of their own.
WORKERS = {"accounts", "appends", "claims", "lone", "settles", "starts", "together", "workers"}
CLAIMS = {"claims", "workers"}
OF_A_FEW = {"runs_owner", "runs_ready", "runs_suspect", "runs_waiting", "runs_wake"}  # partial: only runs not yet ended


async def explain(
    db: Any, topic: str, name: str, values: tuple[Any, ...], *, analyze: bool = False, **settings: str
) -> dict[str, Any]:
    """The plan of a statement as its connection would make it; what it does is undone."""
    own = BY_INDEX if topic in WORKERS else {}
    sorting = {"enable_sort": "off"} if topic in CLAIMS else {}
    return await explain_text(db, statements(topic)[name], values, analyze=analyze, **(own | sorting | settings))


async def explain_text(
    db: Any, statement: str, values: Sequence[Any], *, analyze: bool = False, **settings: str
) -> dict[str, Any]:
    """The same of a statement as it is written."""
    how = "ANALYZE, BUFFERS, FORMAT JSON" if analyze else "FORMAT JSON"
    given = f"({', '.join(map(literal, values))})" if values else ""
    for _ in range(2 if analyze else 1):  # the first look sets hints on pages that were never read
        transaction = db.transaction()
        await transaction.start()
        try:
            for setting, value in settings.items():
                await db.execute(f"SET LOCAL {setting} = {value}")
            await db.execute(f"PREPARE looked_at AS {statement}")
            text = await db.fetchval(f"EXPLAIN ({how}) EXECUTE looked_at{given}")
            await db.execute("DEALLOCATE looked_at")
        finally:
            await transaction.rollback()
    plan: dict[str, Any] = json.loads(text)[0]["Plan"]
    return plan


def literal(value: Any) -> str:
    """A value as it stands in a statement, of whatever type the statement wants."""
    match value:
        case None:
            return "NULL"
        case bytes():
            return f"'\\x{value.hex()}'"
        case list():
            parts = [f"\\\\x{each.hex()}" if isinstance(each, bytes) else str(each) for each in value]
            return "'{" + ", ".join(f'"{part}"' for part in parts) + "}'"
        case _:
            return f"'{value}'"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def walks(plan: dict[str, Any]) -> list[str]:
    """Tables that the plan reads from end to end, by themselves or by an index that holds all of their rows."""
    return [
        node["Relation Name"] + " by " + node.get("Index Name", "itself")
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan"
        or ("Index Name" in node and "Index Cond" not in node and node["Index Name"] not in OF_A_FEW)
    ]


def indexes(plan: dict[str, Any]) -> set[str]:
    return {node["Index Name"] for node in nodes(plan) if "Index Name" in node}


def pages(plan: dict[str, Any]) -> int:
    """Pages that were looked at, in memory or not, whatever the plan's triggers and parts."""
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
