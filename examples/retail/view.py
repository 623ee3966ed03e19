"""What the shop's rules see of its database, and how they refuse a call."""

import json
from collections.abc import Iterable
from typing import Any, Literal, Protocol

Record = dict[str, Any]
Table = Literal["orders", "products", "users"]


class View(Protocol):
    """What the rules see of the database. Records are shared: nobody may alter one in place."""

    def get(self, table: Table, record_id: str) -> Record | None:
        """Return the record as it now stands, or ``None`` when there is none."""

    def rows(self, table: Table) -> Iterable[tuple[str, Record]]:
        """Return all ids and records of a table, in the order of the data file."""

    def put(self, table: Table, record_id: str, record: Record) -> None:
        """Replace a record that exists."""


class Refused(Exception):
    """A check failed; the text is what the answer says after ``Error: ``."""


def answer(record: Record) -> str:
    """Return a record as the tools answer it: JSON in stored order, all beyond ASCII escaped."""
    return json.dumps(record)


def find(view: View, table: Table, record_id: str) -> Record:
    """Return the record; raise :class:`Refused` when there is none."""
    record = view.get(table, record_id)
    if record is None:
        raise Refused(f"{table.removesuffix('s')} not found")
    return record
