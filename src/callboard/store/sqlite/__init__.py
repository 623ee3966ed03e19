"""The store on SQLite."""

from callboard.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
