"""A store: one of each of the small protocols, on one database."""

from typing import Protocol

from callboard.store.answers import Answers
from callboard.store.approvals import Approvals
from callboard.store.audit import Audit
from callboard.store.blobs import Blobs
from callboard.store.budgets import Budgets
from callboard.store.claims import Claims
from callboard.store.controls import Controls
from callboard.store.costs import Costs
from callboard.store.deliveries import Deliveries
from callboard.store.inbox import Inbox
from callboard.store.journal import Journal
from callboard.store.keys import Keys
from callboard.store.people import People
from callboard.store.runs import Runs
from callboard.store.schedules import Schedules
from callboard.store.sessions import Sessions


class Store(Protocol):
    """Everything that survives a crash."""

    @property
    def journal(self) -> Journal:
        """Events."""
        ...

    @property
    def runs(self) -> Runs:
        """Rows of runs."""
        ...

    @property
    def costs(self) -> Costs:
        """What they cost, summed."""
        ...

    @property
    def inbox(self) -> Inbox:
        """Letters to runs."""
        ...

    @property
    def claims(self) -> Claims:
        """Workers and what they own."""
        ...

    @property
    def approvals(self) -> Approvals:
        """Questions to people."""
        ...

    @property
    def blobs(self) -> Blobs:
        """Large payloads."""
        ...

    @property
    def controls(self) -> Controls:
        """Pauses and limits."""
        ...

    @property
    def schedules(self) -> Schedules:
        """What is to be started when."""
        ...

    @property
    def budgets(self) -> Budgets:
        """Accounts and limits."""
        ...

    @property
    def answers(self) -> Answers:
        """Answers of models that may be given again."""
        ...

    @property
    def keys(self) -> Keys:
        """Keys of programs."""
        ...

    @property
    def people(self) -> People:
        """Who may log in, and who has."""
        ...

    @property
    def audit(self) -> Audit:
        """Who did what."""
        ...

    @property
    def sessions(self) -> Sessions:
        """Conversations."""
        ...

    @property
    def deliveries(self) -> Deliveries:
        """Messages to the outside."""
        ...

    async def open(self) -> None:
        """Connects, and creates or migrates the schema. Raises StoreError with what to do."""
        ...

    async def close(self) -> None:
        """Writes what is queued and disconnects."""
        ...

    async def now(self) -> float | None:
        """What time the database has, in epoch seconds; None where that is this machine's time. Raises StoreError."""
        ...

    async def check(self) -> dict[str, str]:
        """Facts for `callboard doctor`: where, version, size, integrity."""
        ...
