"""The shop's base data: read once per process, never altered, with a cheap hash of "base plus changes"."""

import functools
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from examples.retail.view import Record, Table

TABLES: tuple[Table, ...] = ("orders", "products", "users")
FILES = (*(f"{table}.json" for table in TABLES), "tools.json", "policy.md")
Place = tuple[Table, str]
"""A table and the id of a record in it."""


def data_folder() -> Path:
    """Return the folder that ``CALLBOARD_RETAIL_DATA`` names, else the one shipped with this example.

    Raises ``FileNotFoundError`` that says what is missing when the folder or one of its files is not there.
    """
    named = os.environ.get("CALLBOARD_RETAIL_DATA")
    folder = Path(named) if named else Path(__file__).parent / "data"
    source = "CALLBOARD_RETAIL_DATA" if named else "the shipped retail data"
    if not folder.is_dir():
        raise FileNotFoundError(f"{source}: there is no folder {folder}")
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{source}: {folder} has no {', '.join(missing)}")
    return folder


def canonical(value: object) -> bytes:
    """Return JSON in its one canonical form: sorted members, no blanks, UTF-8 without needless escapes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # JSON can name half a surrogate pair, which strict UTF-8 cannot write: a hash should not fail over it.
    return text.encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Base:
    """The untouched database, and its canonical text with the span that each record takes in it."""

    tables: Mapping[Table, Mapping[str, Record]]
    text: bytes
    spans: Mapping[Place, tuple[int, int]]

    @classmethod
    def of(cls, tables: Mapping[Table, Mapping[str, Record]]) -> "Base":
        """Prepare the tables (each from id to record, in file order) for reading and hashing."""
        text = bytearray()
        spans: dict[Place, tuple[int, int]] = {}
        for table in TABLES:
            text += b"{" if not text else b","
            text += canonical(table) + b":{"
            for number, record_id in enumerate(sorted(tables[table])):
                text += b"," if number else b""
                text += canonical(record_id) + b":"
                start = len(text)
                text += canonical(tables[table][record_id])
                spans[table, record_id] = (start, len(text))
            text += b"}"
        text += b"}"
        return cls(tables, bytes(text), spans)

    def final_hash(self, changes: Mapping[Place, Record]) -> str:
        """Return the SHA-256, in hex, of the whole database with some records replaced.

        Only changed records are written anew; the long rest is hashed straight from the prepared text.
        """
        digest, text, done = hashlib.sha256(), memoryview(self.text), 0
        for place in sorted(changes, key=self.spans.__getitem__):
            start, end = self.spans[place]
            digest.update(text[done:start])
            digest.update(canonical(changes[place]))
            done = end
        digest.update(text[done:])
        return digest.hexdigest()


@functools.cache
def load(folder: Path) -> Base:
    """Read the three tables from ``folder``, once per process."""
    return Base.of({table: json.loads((folder / f"{table}.json").read_text("utf-8")) for table in TABLES})


class Overlay:
    """A view of the database for the rules: the base with the changes of one run laid over it."""

    def __init__(self, base: Base, changes: Mapping[Place, Record] | None = None) -> None:
        """Lay ``changes`` over ``base``; neither is altered by what the rules put here later."""
        self._base = base
        self._changes = dict(changes or {})
        self.written: set[Place] = set()

    def get(self, table: Table, record_id: str) -> Record | None:
        """Return the record as it now stands, or ``None``."""
        changed = self._changes.get((table, record_id))
        return changed if changed is not None else self._base.tables[table].get(record_id)

    def rows(self, table: Table) -> Iterator[tuple[str, Record]]:
        """Yield all ids and records of a table, in the order of the data file."""
        for record_id, record in self._base.tables[table].items():
            yield record_id, self._changes.get((table, record_id), record)

    def put(self, table: Table, record_id: str, record: Record) -> None:
        """Replace a record; putting back the very one that :meth:`get` gave is no change.

        Raises ``KeyError`` for an id that the base does not have: the shop's tools never add a record.
        """
        if record_id not in self._base.tables[table]:
            raise KeyError(record_id)
        if record is not self.get(table, record_id):
            self._changes[table, record_id] = record
            self.written.add((table, record_id))

    def final_hash(self) -> str:
        """Return the hash of the database as this view shows it."""
        return self._base.final_hash(self._changes)
