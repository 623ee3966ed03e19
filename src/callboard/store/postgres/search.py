"""Finding runs on PostgreSQL: a statement made of the pieces that a search asks for."""

import re
from typing import Any

from callboard.domain.run import Run
from callboard.store.postgres.sql import statements
from callboard.store.rows import run_from
from callboard.store.runs import Search, Totals
from callboard.store.searching import Wanted, containing, escaped, in_json, small, totals_from, wanted

_SQL = statements("search")
_NAMED = re.compile(r"\{(\w+)\}")


async def page(db: Any, tenant: str, search: Search, before: str | None, limit: int) -> list[Run]:
    """Runs that are found, newest first."""
    statement, values = made("page", tenant, wanted(search), before, limit)
    return [run_from(row) for row in await db.fetch(statement, *values)]


async def totals(db: Any, tenant: str, search: Search) -> Totals:
    """What the runs that are found come to."""
    asked = wanted(search)
    statement, values = made("totals", tenant, asked)
    rows = await db.fetch(statement, *values)
    kinds: dict[str | None, int] = {}
    if asked.source != "open":
        statement, values = made("kinds", tenant, asked)
        kinds = dict(await db.fetch(statement, *values))
    sums = zip(*(row[2:] for row in rows), strict=True)
    return totals_from({row[0]: row[1] for row in rows}, kinds, tuple(map(sum, sums)))


def made(
    name: str, tenant: str, asked: Wanted, before: str | None = None, limit: int | None = None
) -> tuple[str, list[Any]]:
    """The statement `page`, `totals` or `kinds` of a search, and its values."""
    clauses, values = _clauses(asked, tenant)
    if asked.source == "failed" or name == "kinds":
        clauses.append(_SQL["error"])
    if before is not None:
        clauses.append(_SQL["before"])
    found = _SQL["every"]
    if asked.source == "open":
        parts = " UNION ALL ".join(_SQL[status] for status in sorted(set(asked.statuses)))
        found = _SQL["open"].replace("{parts}", parts)
    if asked.words:
        found = f"{found} {_SQL['texts']}"
    statement = _SQL[name].replace("{found}", found).replace("{clauses}", " AND ".join(clauses))
    return _bound(statement, {**values, "before": before, "limit": limit})


def _clauses(asked: Wanted, tenant: str) -> tuple[list[str], dict[str, Any]]:
    clauses = [_SQL["tenant"]]
    values: dict[str, Any] = {"tenant": tenant}
    for name in ("kind", "by", "since", "until"):
        if (value := getattr(asked, name)) is not None:
            clauses.append(_SQL[name])
            values[name] = value
    if asked.statuses:
        clauses.append(_SQL["statuses"])
        values["statuses"] = list(asked.statuses)
    if asked.roots:
        clauses.append(_SQL["roots"])
    if asked.names is not None:
        clauses.append(_SQL["flows"])
        shapes = [escaped(each).replace("*", "%") for each in asked.globs]
        values["flows"] = [*map(escaped, asked.names), *shapes]
    for number, (name, value) in enumerate(asked.labels.items()):
        clauses.append(_SQL["label"].replace("{name}", f"{{name{number}}}").replace("{value}", f"{{value{number}}}"))
        values[f"name{number}"], values[f"value{number}"] = name, value
    for number, cases in enumerate(asked.words):
        piece = _SQL["word"].replace("{words}", f"{{words{number}}}").replace("{quoted}", f"{{quoted{number}}}")
        clauses.append(piece)
        values[f"words{number}"] = [containing(small(each)) for each in cases]
        values[f"quoted{number}"] = [containing(small(in_json(each))) for each in cases]
    return clauses, values


def _bound(statement: str, values: dict[str, Any]) -> tuple[str, list[Any]]:
    """The statement with `$1` and so on in place of names, and the values in that order."""
    names = list(dict.fromkeys(_NAMED.findall(statement)))
    return _NAMED.sub(lambda found: f"${names.index(found[1]) + 1}", statement), [values[name] for name in names]
