"""What one transaction writes for many ops.

All rows of runs that any op touches are locked first, in one statement and in one order. The ops then act on
these rows in memory, one after the other as they would alone, and note what is to be written; at the end each
table gets one statement. So a group costs about ten statements, whatever the number of its ops.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from callboard.domain.bill import Bill
from callboard.domain.event import Event, EventKind
from callboard.domain.run import RunStatus
from callboard.domain.usage import NOTHING, Usage
from callboard.store.accounts import Accounts
from callboard.store.approvals import NewApproval
from callboard.store.claims import Claim
from callboard.store.postgres.sql import statements
from callboard.store.postgres.touched import Touched

INLINE = 16_384  # bytes; larger payloads become blobs
_ACCOUNTS = statements("accounts")
_APPENDS = statements("appends")
_COSTS = statements("costs")
_STARTS = statements("starts")
_SETTLES = statements("settles")


class Group:
    """Rows that are locked, and rows to write."""

    def __init__(self, db: Any) -> None:
        self.db = db
        self.runs: dict[int, Touched] = {}
        self.by_id: dict[str, Touched] = {}
        self.children: dict[int, list[Touched]] = {}
        self.accounts = Accounts({}, {})  # those that were locked, see accounts.py
        self._blobs: dict[tuple[str, bytes], tuple[bytes, float]] = {}
        self._events: list[tuple[Any, ...]] = []
        self._letters: list[tuple[Any, ...]] = []
        self._consumed: list[tuple[int, int]] = []
        self._labels: dict[int, dict[str, str]] = {}
        self._spent: dict[int, Usage] = {}
        self._bills: dict[tuple[int, str, str, str], Bill] = {}
        self._asks: list[tuple[Any, ...]] = []
        self._withdrawn: list[int] = []
        self._forgotten: list[int] = []
        self._unread: list[int] = []

    async def put_blobs(self, payloads: Iterable[tuple[str, bytes, float]]) -> None:
        """Writes those (tenant, payload, time) that are too large for a row. Before anything else is locked."""
        for tenant, body, at in payloads:
            if len(body) > INLINE:
                self._blobs[tenant, hashlib.sha256(body).digest()] = body, at
        if self._blobs:
            rows = [(tenant, key, *self._blobs[tenant, key]) for tenant, key in sorted(self._blobs)]
            await self.db.execute(_APPENDS["put_blobs"], *columns(rows))

    async def lock(
        self, numbers: Iterable[int], ending: Sequence[int], orphaning: Sequence[int], ids: Sequence[str]
    ) -> None:
        """Locks these runs, parents of those that end, children that must end with theirs, and runs with these ids."""
        wanted = list(dict.fromkeys(numbers))
        if not wanted and not ids:
            return
        for row in await self.db.fetch(_SETTLES["touch"], wanted, ending, orphaning, ids):
            self.add(Touched(row))

    def add(self, run: Touched) -> None:
        """Takes a run in whose row this transaction has locked or made."""
        self.runs[run.number] = run
        self.by_id[run.id] = run
        if run.parent is not None and not run.detached:
            self.children.setdefault(run.parent, []).append(run)

    def holds(self, claim: Claim) -> bool:
        """Whether a claim still holds."""
        run = self.runs.get(claim.number)
        return run is not None and run.held_by(claim)

    def event(self, number: int, event: Event, *, inline: bool = False) -> None:
        """Notes an event; a large body stands in a blob, unless there is none for it."""
        body: bytes | None = event.body
        blob: bytes | None = None
        if len(event.body) > INLINE and not inline:
            body, blob = None, hashlib.sha256(event.body).digest()
        self._events.append((number, event.seq, event.kind, event.path, event.digest, event.at, event.took, body, blob))

    def began(self, number: int, digest: bytes, at: float, given: bytes) -> None:
        """Notes the first event of a new run."""
        self.event(number, Event(0, EventKind.STARTED, "", digest, int(at * 1e6), 0, given))

    def letter(self, run: Touched, name: str, body: bytes, at: float) -> bool:
        """Notes a letter; False when the run has ended."""
        seq = run.knock(name, at)
        if seq is None:
            return False
        self._letters.append((run.number, seq, name, body, at))
        return True

    def consume(self, number: int, seqs: Iterable[int]) -> None:
        """Notes letters that have been answered."""
        self._consumed += [(number, seq) for seq in seqs]

    def label(self, number: int, labels: dict[str, str]) -> None:
        """Notes labels to set."""
        self._labels[number] = self._labels.get(number, {}) | labels

    def spend(self, number: int, usage: Usage) -> None:
        """Notes usage to add."""
        self._spent[number] = self._spent.get(number, NOTHING) + usage

    def bill(self, claim: Claim, bill: Bill) -> None:
        """Notes what an agent spent at a model."""
        place = claim.number, bill.agent, bill.model, claim.tenant
        before = self._bills.get(place)
        self._bills[place] = bill if before is None else before + bill

    def ask(self, claim: Claim, ask: NewApproval) -> None:
        """Notes a question."""
        self._asks.append((ask.id, claim.number, claim.tenant, ask.path, ask.kind, ask.proposal, ask.at, ask.deadline))

    def withdraw(self, number: int) -> None:
        """Notes that a run's open questions are void."""
        self._withdrawn.append(number)

    def forget_children(self, number: int) -> None:
        """Notes that what children have reported to a run is void, and what they will."""
        self._forgotten.append(number)
        for child in self.children.get(number, ()):
            child.detached = child.changed = True

    def drop_letters(self, number: int) -> None:
        """Notes that nobody will read a run's letters."""
        self._unread.append(number)

    async def write(self) -> None:
        """Writes all that was noted."""
        put = [run.columns() for run in self.runs.values() if run.changed]
        woken = [run.waking() for run in self.runs.values() if run.knocked and not run.changed]
        await self._write_costs()
        labels = [(number, msgspec.json.encode(some).decode()) for number, some in self._labels.items()]
        for statement, rows in (
            (_APPENDS["insert"], self._events),
            (_APPENDS["label"], labels),
            (_SETTLES["put"], put),
            (_STARTS["wake"], woken),
            (_APPENDS["consume"], self._consumed),
            (_ACCOUNTS["write"], self.accounts.balances()),
            (_ACCOUNTS["release"], self.accounts.released()),
            (_ACCOUNTS["hold"], self.accounts.held()),
        ):
            if rows:
                await self.db.execute(statement, *columns(rows))
        if self._forgotten:
            await self.db.execute(_SETTLES["forget_children"], self._forgotten)
        for statement, rows in ((_STARTS["knock"], self._letters), (_APPENDS["ask"], self._asks)):
            if rows:
                await self.db.execute(statement, *columns(rows))
        if self._unread:
            await self.db.execute(_SETTLES["drop_letters"], self._unread)
        if self._withdrawn:
            await self.db.execute(_SETTLES["withdraw"], self._withdrawn)

    async def _write_costs(self) -> None:
        if not self._spent and not self._bills:
            return
        spent = [(number, *msgspec.structs.astuple(usage)) for number, usage in self._spent.items()]
        bills = [
            (*place, bill.calls, bill.usage.cost, bill.usage.input_tokens, bill.usage.output_tokens,
             bill.usage.cached_tokens, bill.by_provider, bill.by_answers)
            for place, bill in self._bills.items()
        ]  # fmt: skip
        await self.db.execute(
            _COSTS["spend"], *(columns(spent) if spent else [()] * 7), *(columns(bills) if bills else [()] * 11)
        )


def columns(rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Rows turned into one array for each column, as `unnest` takes them."""
    return list(zip(*rows, strict=True))


def ready(runs: Iterable[Touched]) -> tuple[str, ...]:
    """The ids of those that are ready."""
    return tuple(run.id for run in runs if run.status is RunStatus.READY)
