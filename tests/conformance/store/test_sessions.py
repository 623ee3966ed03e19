"""Conversations: where a message comes while others are not answered yet, and which one is to be answered next."""

import asyncio
from typing import Any

import pytest

from callboard.domain.errors import Conflict, NotFound
from callboard.domain.run import RunStatus
from callboard.store.claims import Release
from callboard.store.letter import CANCEL
from callboard.store.sessions import Added, Meanwhile, NewTurn, Turn, TurnStatus
from callboard.store.store import Store
from tests.conformance.store.play import ANNA, FLOWS, LATER, STRANGER, T0, TENANT, claim, end, new_id, park, start
from tests.conformance.store.talking import session

QUEUE, REJECT, INTERRUPT, REPLACE = Meanwhile
PENDING, STARTED, SKIPPED, DROPPED = TurnStatus


class Talk:
    """A conversation in a store, and what may happen in it."""

    def __init__(self, store: Store, name: str = "talk") -> None:
        self.store = store
        self.name = name
        self.said = 0

    async def say(self, meanwhile: Meanwhile = QUEUE, **more: Any) -> Added:
        self.said += 1
        values: dict[str, Any] = {"id": new_id(), "message": {"text": f"{self.said}"}, "at": T0 + self.said}
        new = NewTurn(**values | more)
        return await self.store.sessions.add(TENANT, self.name, new, meanwhile)

    async def begin(self, turn: Turn) -> None:
        """What a worker does with a turn that is due: its run is under way, and waits."""
        assert turn.id in [each.id for each in await self.store.sessions.due(100)]
        await start(self.store, id=turn.id)
        held = (await claim(self.store, turn.id)).claim
        await self.store.claims.settle(held, park())
        assert await self.store.sessions.started(TENANT, turn.id, ())

    async def finish(self, turn: Turn, status: RunStatus = RunStatus.SUCCEEDED) -> None:
        await self.store.inbox.send(TENANT, turn.id, "signal:go", b"null", LATER)
        held = (await claim(self.store, turn.id)).claim
        await self.store.claims.settle(held, end(1, status))

    async def answered(self, meanwhile: Meanwhile = QUEUE, **more: Any) -> Turn:
        turn = (await self.say(meanwhile, **more)).turn
        await self.begin(turn)
        await self.finish(turn)
        return turn

    async def line(self) -> list[str]:
        """What is said on the way to the conversation's head."""
        head = (await self.store.sessions.get(TENANT, self.name)).head
        return [turn.message["text"] for turn in await self.store.sessions.path(TENANT, head or "")]

    async def statuses(self) -> list[TurnStatus]:
        return [turn.status for turn in await self.store.sessions.turns(TENANT, self.name)]

    async def due(self) -> list[str]:
        return [turn.id for turn in await self.store.sessions.due(100)]


@pytest.fixture
async def talk(store: Store) -> Talk:
    await store.sessions.create(session())
    return Talk(store)


async def test_a_conversation_comes_back_as_it_was_begun(store: Store) -> None:
    kept = session(labels={"team": "blue", "näïve 🎭": "'--"}, webhook="https://x.example/hook")
    assert await store.sessions.create(kept) == kept
    assert await store.sessions.create(session(created_at=T0 + 9)) == kept, "it was there"
    assert await store.sessions.get(TENANT, "talk") == kept
    with pytest.raises(Conflict):
        await store.sessions.create(session(flow="pay"))
    await store.sessions.create(theirs := session(tenant=STRANGER, flow="pay"))
    assert await store.sessions.get(STRANGER, "talk") == theirs
    with pytest.raises(NotFound):
        await store.sessions.get(TENANT, "other")


async def test_conversations_are_listed_newest_first_in_pages(store: Store) -> None:
    for n in range(5):
        await store.sessions.create(session(id=f"s{n}", flow="order" if n % 2 else "pay", labels={"n": str(n % 3)}))
    await store.sessions.create(session(id="s9", tenant=STRANGER))
    find = store.sessions.find
    assert [s.id for s in await find(TENANT)] == ["s4", "s3", "s2", "s1", "s0"]
    assert [s.id for s in await find(TENANT, before="s3", limit=2)] == ["s2", "s1"]
    assert [s.id for s in await find(TENANT, flow="pay", labels={"n": "1"})] == ["s4"]
    assert await find(TENANT, labels={"n": "1", "m": "1"}) == []


async def test_turns_are_answered_one_after_the_other(store: Store, talk: Talk) -> None:
    options = {"priority": 2, "labels": {"a": "b\x00"}}
    first = await talk.say(options=options, message={"text": "1", "nul": "\x00 ü"})
    assert first == Added(first.turn) and first.turn.number == 1 and first.turn.after is None
    second = (await talk.say()).turn
    assert second.after == first.turn.id and second.number == 2
    assert await store.sessions.due(100) == [first.turn], "as it was added, and the first alone"
    await talk.begin(first.turn)
    assert await talk.due() == []
    await talk.finish(first.turn)
    assert await talk.due() == [second.id]
    assert await store.sessions.started(TENANT, second.id, (first.turn.id,))
    assert not await store.sessions.started(TENANT, second.id, ()), "it was pending no longer"
    kept = await store.sessions.turn(TENANT, second.id)
    assert kept is not None and kept.status is STARTED and kept.silent == (first.turn.id,)
    talking = await store.sessions.get(TENANT, "talk")
    assert (talking.head, talking.turns, talking.updated_at) == (second.id, 2, T0 + 2)
    assert [t.number for t in await store.sessions.turns(TENANT, "talk", after=1)] == [2]
    assert [t.number for t in await store.sessions.turns(TENANT, "talk", limit=1)] == [1]
    assert await store.sessions.turn(STRANGER, second.id) is None
    assert await store.sessions.turns(STRANGER, "talk") == []
    with pytest.raises(NotFound):
        await store.sessions.path(STRANGER, second.id)


async def test_of_many_conversations_each_has_its_next_turn_oldest_first(store: Store) -> None:
    talks = []
    for n in range(3):
        await store.sessions.create(session(id=f"s{n}"))
        talks.append(Talk(store, f"s{n}"))
    late, early, busy = [(await talk.say(at=T0 + 9 - n)).turn for n, talk in enumerate(talks)]
    for talk in talks:
        await talk.say()
    await talks[2].begin(busy)
    assert await talks[0].due() == [early.id, late.id]
    assert [t.id for t in await store.sessions.due(1)] == [early.id]


async def test_a_message_that_would_have_to_wait_may_be_rejected(talk: Talk) -> None:
    first = (await talk.say(REJECT)).turn
    with pytest.raises(Conflict, match="busy"):
        await talk.say(REJECT)
    await talk.begin(first)
    with pytest.raises(Conflict, match="busy"):
        await talk.say(REJECT)
    await talk.finish(first, RunStatus.FAILED)
    assert (await talk.say(REJECT)).turn.after == first.id
    assert await talk.statuses() == [STARTED, PENDING], "what was rejected left nothing"


async def test_a_message_interrupts_and_what_was_said_stays(talk: Talk) -> None:
    await talk.answered()
    second = (await talk.say()).turn
    await talk.begin(second)
    third = (await talk.say()).turn
    fourth = await talk.say(INTERRUPT)
    assert fourth.cancelled == (second.id,) and fourth.turn.after == third.id
    assert await talk.statuses() == [STARTED, STARTED, SKIPPED, PENDING]
    assert await talk.line() == ["1", "2", "3", "4"]
    assert not await talk.store.sessions.started(TENANT, third.id, ())
    assert await talk.due() == [], "the run that is to be cancelled still goes on"
    await talk.finish(second, RunStatus.CANCELLED)
    assert await talk.due() == [fourth.turn.id]


async def test_a_message_replaces_what_was_said_last(talk: Talk) -> None:
    first = await talk.answered()
    second = (await talk.say()).turn
    await talk.begin(second)
    await talk.say()
    fourth = await talk.say(REPLACE)
    assert fourth.cancelled == (second.id,) and fourth.turn.after == first.id
    assert await talk.statuses() == [STARTED, DROPPED, DROPPED, PENDING]
    assert await talk.line() == ["1", "4"]
    assert await talk.due() == [], "one run at a time, also of one that was dropped"
    fifth = await talk.say(REPLACE)
    assert fifth.cancelled == (second.id,) and fifth.turn.after == first.id
    await talk.finish(second, RunStatus.CANCELLED)
    assert await talk.due() == [fifth.turn.id]
    with pytest.raises(Conflict, match="replaced"):
        await talk.say(after=second.id)


async def test_without_anything_going_on_a_message_comes_last_whatever_it_may_do(talk: Talk) -> None:
    turns = [await talk.answered(meanwhile) for meanwhile in Meanwhile]
    assert [turn.after for turn in turns] == [None, *[turn.id for turn in turns[:-1]]]


async def test_a_turn_that_the_conversation_went_on_from_is_cancelled_but_not_dropped(talk: Talk) -> None:
    first = (await talk.say()).turn
    await talk.begin(first)
    await talk.finish(first, RunStatus.FAILED)
    second = await talk.answered()
    await talk.store.runs.requeue(TENANT, first.id, "", LATER)
    third = await talk.say(REPLACE)
    assert third.cancelled == (first.id,) and third.turn.after == second.id
    assert await talk.line() == ["1", "2", "3"]
    assert await talk.due() == []


async def test_a_turn_may_be_answered_again(talk: Talk) -> None:
    first, second = await talk.answered(), await talk.answered()
    again = (await talk.say(after=first.id)).turn
    assert again.after == first.id
    assert await talk.line() == ["1", "3"]
    assert [t.id for t in await talk.store.sessions.path(TENANT, second.id)] == [first.id, second.id]
    replaced = await talk.say(REPLACE, after=again.id)
    assert replaced.turn.after == first.id, "where what it was to come after had come"
    await talk.store.sessions.create(session(id="other"))
    with pytest.raises(Conflict, match="not one of session"):
        await Talk(talk.store, "other").say(after=first.id)
    with pytest.raises(NotFound):
        await Talk(talk.store, "none").say()


async def test_a_turn_that_is_added_again_is_found(talk: Talk) -> None:
    first = (await talk.say()).turn
    await talk.begin(first)
    second = await talk.say(INTERRUPT, id="twice")
    again = await talk.say(INTERRUPT, id="twice", message={"text": "other"})
    assert second.cancelled == (first.id,)
    assert again == Added(second.turn, created=False), "what it cancels was asked to end when it was added"
    await talk.finish(first, RunStatus.CANCELLED)
    await talk.begin(second.turn)
    await talk.say()
    found = await talk.say(INTERRUPT, id="twice")
    assert not found.created and found.cancelled == () and found.turn.status is STARTED
    assert await talk.statuses() == [STARTED, STARTED, PENDING]
    await talk.store.sessions.create(session(id="other"))
    with pytest.raises(Conflict, match="belongs to session"):
        await Talk(talk.store, "other").say(id="twice")


async def test_a_run_that_was_started_but_not_noted_is_cancelled_too(talk: Talk) -> None:
    """Its worker died in between."""
    first = (await talk.say()).turn
    await start(talk.store, id=first.id)
    second = await talk.say(INTERRUPT)
    assert second.cancelled == (first.id,)
    assert await talk.due() == [first.id], "it is noted before the next begins"
    assert await talk.store.sessions.started(TENANT, first.id, ())
    assert await talk.due() == []
    third = await talk.say(REPLACE)
    assert third.cancelled == (first.id,) and third.turn.after is None


@pytest.mark.parametrize("meanwhile", [INTERRUPT, REPLACE])
async def test_what_a_message_cancels_is_asked_to_end_with_it(talk: Talk, meanwhile: Meanwhile) -> None:
    """Whoever sends it may be gone the moment after."""
    first = (await talk.say()).turn
    await start(talk.store, id=first.id)
    await talk.store.sessions.started(TENANT, first.id, ())
    held = (await claim(talk.store, first.id)).claim
    assert (await talk.say(meanwhile)).cancelled == (first.id,)
    counter, [letter] = await talk.store.inbox.read(held, 0)
    assert (counter, letter.name, letter.body) == (1, CANCEL, b'"another message came"')
    await talk.store.claims.settle(held, end(1, RunStatus.BLOCKED))
    assert (await talk.say(INTERRUPT)).cancelled == (first.id,), "it has not ended"
    again = await claim(talk.store, first.id)
    assert [each.name for each in again.letters] == [CANCEL, CANCEL], "one that is blocked is requeued to end"
    await talk.store.claims.settle(again.claim, end(3, RunStatus.CANCELLED))
    assert len(await talk.due()) == 1


async def test_of_many_who_speak_at_once_each_comes_after_another(store: Store, other: Store, talk: Talk) -> None:
    theirs = Talk(other)
    said = await asyncio.gather(*[each.say() for _ in range(10) for each in (talk, theirs)])
    assert sorted(each.turn.number for each in said) == list(range(1, 21))
    assert len(await talk.line()) == 20
    rejected = await asyncio.gather(*[each.say(REPLACE) for _ in range(5) for each in (talk, theirs)])
    assert [each.turn.after for each in rejected] == [None] * 10
    assert len(await talk.due()) == 1


async def test_a_purged_runs_turn_stays_until_its_whole_conversation_goes(talk: Talk) -> None:
    first, second = await talk.answered(), await talk.answered()
    purge: dict[str, Any] = {"statuses": [RunStatus.SUCCEEDED], "blobs_before": 0.0}
    done = await talk.store.runs.purge(TENANT, before=5e9, batch=1, **purge)
    assert (done.runs, done.sessions) == (1, 0)
    assert await talk.line() == ["1", "2"], "what was said stays, without an answer"
    assert [t.id for t in await talk.store.sessions.turns(TENANT, "talk")] == [first.id, second.id]
    third = (await talk.say()).turn
    done = await talk.store.runs.purge(TENANT, before=5e9, batch=100, **purge)
    assert (done.runs, done.sessions) == (1, 0), "somebody waits for an answer"
    await talk.begin(third)
    await talk.finish(third)
    done = await talk.store.runs.purge(TENANT, before=T0 + 2.5, batch=100, **purge)
    assert (done.runs, done.sessions) == (1, 0), "somebody spoke since"
    done = await talk.store.runs.purge(TENANT, before=5e9, batch=100, **purge)
    assert (done.runs, done.sessions) == (0, 1)
    with pytest.raises(NotFound):
        await talk.store.sessions.get(TENANT, "talk")
    assert await talk.store.sessions.turn(TENANT, first.id) is None


async def test_a_run_that_was_handed_back_is_still_one_that_goes_on(talk: Talk) -> None:
    turn = (await talk.say()).turn
    await talk.begin(turn)
    await talk.store.inbox.send(TENANT, turn.id, "signal:go", b"null", LATER)
    (found,) = await talk.store.claims.claim(ANNA, FLOWS, 1, LATER)
    await talk.store.claims.settle(found.claim, Release())
    await talk.say()
    assert await talk.due() == []
