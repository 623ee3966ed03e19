"""The store on PostgreSQL."""

from callboard.store.postgres.commits import Fault
from callboard.store.postgres.store import PostgresStore

__all__ = ["Fault", "PostgresStore"]
