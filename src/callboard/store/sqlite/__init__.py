"""The store on SQLite."""

from callboard.store.sqlite.store import SqliteStore
from callboard.store.sqlite.writer import Fault

__all__ = ["Fault", "SqliteStore"]
