"""Finding runs on PostgreSQL: a statement made of the pieces that a search asks for."""

import re
from collections import Counter
from typing import Any

from callboard.domain.run import Run
from callboard.store.postgres.sql import statements
from callboard.store.rows import run_from
from callboard.store.runs import Search, Totals
from callboard.store.searching import Wanted, containing, escaped, in_json, small, totals_from, wanted

_SQL = statements("search")
# What those of a source have in common, by names of pieces.
_HELD: dict[str, tuple[str, ...]] = {"every": (), "failed": ("error",), "stuck": ("halted",), "open": ()}
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
    statuses: Counter[str] = Counter()
    kinds: Counter[str | None] = Counter()
    for status, kind, count, *_ in rows:
        statuses[status] += count
        kinds[kind] += count
    sums = zip(*(row[3:] for row in rows), strict=True)
    whole = await _reach(db, tenant, asked) is None
    return totals_from(statuses, kinds, tuple(map(sum, sums)), whole)


async def reach(db: Any, tenant: str, search: Search, before: str | None) -> str | None:
    """The last run that the search looks at, where there are more."""
    return await _reach(db, tenant, wanted(search), before)


async def _reach(db: Any, tenant: str, asked: Wanted, before: str | None = None) -> str | None:
    if asked.among is None or not asked.from_the_newest:
        return None
    statement, values = made("reach", tenant, asked, before)
    found = await db.fetch(statement, *values)
    return found[0][0] if len(found) > 1 else None


def made(
    name: str, tenant: str, asked: Wanted, before: str | None = None, limit: int | None = None
) -> tuple[str, list[Any]]:
    """The statement `page`, `totals` or `reach` of a search, and its values."""
    clauses, values = _clauses(asked, tenant)
    bounds = [_SQL["tenant"], *(_SQL[each] for each in _HELD[asked.source])]
    if before is not None:
        bounds.append(_SQL["before"])
    most = [_SQL["among"]] if asked.among is not None else []
    if asked.since is not None:
        most.append(_SQL["fresh"])
    found, place = _SQL["every"], "-r.number"
    if asked.source == "open":
        parts = " UNION ALL ".join(_SQL[status] for status in sorted(set(asked.statuses)))
        found = _SQL["open"].replace("{parts}", parts)
    elif most and name != "reach":
        found = _SQL["newest"].replace("{bounds}", " AND ".join(bounds)).replace("{most}", f"least({', '.join(most)})")
        place, bounds = "r.place", [_SQL["tenant"]]
    if asked.words:
        found = f"{found} {_SQL['texts']}"
    pieces = {
        "{found}": found,
        "{clauses}": " AND ".join(bounds if name == "reach" else bounds + clauses),
        "{place}": place,
        "{young}": "true" if asked.since is None else _SQL["young"],
    }
    statement = _SQL[name]
    for mark, piece in pieces.items():
        statement = statement.replace(mark, piece)
    return _bound(statement, {**values, "before": before, "limit": limit, "among": asked.among})


def _clauses(asked: Wanted, tenant: str) -> tuple[list[str], dict[str, Any]]:
    clauses: list[str] = []
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
