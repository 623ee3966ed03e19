"""Finding runs on SQLite: a statement made of the pieces that a search asks for."""

from typing import Any

import apsw
import msgspec

from callboard.domain.run import Run
from callboard.store.rows import run_from
from callboard.store.runs import Search, Totals
from callboard.store.searching import Wanted, containing, in_json, totals_from, wanted
from callboard.store.sqlite.sql import every, one, statements

_SQL = statements("search")
# What those of a source have in common, by names of pieces.
_HELD: dict[str, tuple[str, ...]] = {"every": (), "failed": ("error",), "stuck": ("halted",), "open": ()}
# As `totals` has them.
_COUNTED = ("succeeded", "failed", "cancelled", "dead", "blocked", "waiting", "running", "ready")


def page(db: apsw.Connection, tenant: str, search: Search, before: str | None, limit: int) -> list[Run]:
    """Runs that are found, newest first."""
    return [run_from(row) for row in every(db, *made("page", tenant, wanted(search), before, limit))]


def totals(db: apsw.Connection, tenant: str, search: Search) -> Totals:
    """What the runs that are found come to."""
    asked = wanted(search)
    row = one(db, *made("totals", tenant, asked))
    kinds = {} if asked.source == "open" else dict(every(db, *made("kinds", tenant, asked)))
    whole = _reach(db, tenant, asked) is None
    return totals_from(dict(zip(_COUNTED, row, strict=False)), kinds, row[len(_COUNTED) :], whole)


def reach(db: apsw.Connection, tenant: str, search: Search, before: str | None) -> str | None:
    """The last run that the search looks at, where there are more."""
    return _reach(db, tenant, wanted(search), before)


def _reach(db: apsw.Connection, tenant: str, asked: Wanted, before: str | None = None) -> str | None:
    if asked.among is None or not asked.from_the_newest:
        return None
    last = every(db, *made("reach", tenant, asked, before))
    return last[0][0] if len(last) > 1 else None


def made(
    name: str, tenant: str, asked: Wanted, before: str | None = None, limit: int | None = None
) -> tuple[str, dict[str, Any]]:
    """The statement `page`, `totals`, `kinds` or `reach` of a search, and its values."""
    clauses, values = _clauses(asked, tenant)
    source = "failed" if name == "kinds" and asked.source == "every" else asked.source
    bounds = [_SQL[each] for each in _bounds(asked, before)]
    if name == "reach":
        clauses = bounds
    elif asked.from_the_newest and asked.among is not None:
        last = _SQL["last"].replace("{found}", _SQL[asked.source]).replace("{bounds}", " AND ".join(bounds))
        clauses.append(last)
    clauses += [_SQL[each] for each in (*_HELD[source], *(("before",) if before is not None else ()))]
    parts = " UNION ALL ".join(_SQL[status] for status in sorted(set(asked.statuses))) if source == "open" else ""
    found = _SQL[source].replace("{parts}", parts)
    statement = _SQL[name].replace("{found}", found).replace("{clauses}", " AND ".join(clauses))
    return statement, {**values, "before": before, "limit": limit, "among": asked.among}


def _bounds(asked: Wanted, before: str | None) -> list[str]:
    """What says where runs begin and end that are looked through, by names of pieces."""
    found = ["tenant", *_HELD[asked.source]]
    if asked.since is not None:
        found.append("begun")
    return [*found, "before"] if before is not None else found


def _clauses(asked: Wanted, tenant: str) -> tuple[list[str], dict[str, Any]]:
    clauses = [_SQL["open_tenant" if asked.source == "open" else "tenant"]]
    values: dict[str, Any] = {"tenant": tenant}
    if asked.since is not None and asked.from_the_newest:
        clauses.append(_SQL["begun"])
    for name in ("kind", "by", "since", "until"):
        if (value := getattr(asked, name)) is not None:
            clauses.append(_SQL[name])
            values[name] = value
    if asked.statuses:
        clauses.append(_SQL["statuses"])
        values["statuses"] = _json(asked.statuses)
    if asked.roots:
        clauses.append(_SQL["roots"])
    if asked.names is not None:
        values["names"] = _json(asked.names)
        shapes = [_SQL["glob"].replace("{glob}", _bound(values, _glob(each))) for each in asked.globs]
        clauses.append(f"({' OR '.join([_SQL['names'], *shapes])})")
    if asked.labels:
        clauses.append(_SQL["labels"])
        values["labels"] = _json(asked.labels)
        values["needle"] = max(map(_json, asked.labels.values()), key=len)
    for cases in asked.words:
        clauses.append(f"({' OR '.join(_word(values, each) for each in cases)})")
    return clauses, values


def _word(values: dict[str, Any], word: str) -> str:
    quoted = _bound(values, containing(in_json(word)))
    return _SQL["word"].replace("{word}", _bound(values, containing(word))).replace("{quoted}", quoted)


def _glob(pattern: str) -> str:
    """A pattern in which nothing but `*` is special."""
    return pattern.replace("[", "[[]").replace("?", "[?]")


def _bound(values: dict[str, Any], value: str) -> str:
    """Gives a value a name that the statement can use."""
    name = f"v{len(values)}"
    values[name] = value
    return f":{name}"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
