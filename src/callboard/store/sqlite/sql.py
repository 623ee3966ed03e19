"""The named statements and the migrations in the `.sql` files beside this one."""

from functools import cache
from importlib.resources import files
from typing import Any

import apsw

from callboard.connections.statements import load


def statements(topic: str) -> dict[str, str]:
    """The statements of one file in `queries/`, by name."""
    return load(__package__, topic)


def every(db: apsw.Connection, statement: str, values: Any = ()) -> list[tuple[Any, ...]]:
    """All rows that a statement gives. A statement with RETURNING acts only as far as it is read: read it all."""
    return db.execute(statement, values).fetchall()


def one(db: apsw.Connection, statement: str, values: Any = ()) -> Any:
    """The first row, or None."""
    return db.execute(statement, values).fetchone()


@cache
def migrations() -> tuple[tuple[int, str], ...]:
    """The numbered migrations, in order: (number, script)."""
    found = [f for f in (files(__package__) / "migrations").iterdir() if f.name.endswith(".sql")]
    return tuple(sorted((int(f.name[:4]), f.read_text(encoding="utf-8")) for f in found))
