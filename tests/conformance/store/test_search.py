"""Runs are searched by all that their rows say, in pages and in total, the same on each database."""

from typing import Any

import pytest

from callboard.domain.errors import InputInvalid
from callboard.domain.run import RunStatus
from callboard.domain.usage import Usage
from callboard.store.claims import Claim, Finish
from callboard.store.journal import Extras
from callboard.store.runs import Search
from callboard.store.store import Store
from tests.conformance.store.play import (
    ANNA,
    LATER,
    STRANGER,
    T0,
    TENANT,
    child_of,
    end,
    event,
    new_id,
    new_run,
    park,
)

ODD = ("a*b", "a_b", "a%b", "a[b]", "a?b", "a\\b", "A*b")


async def found(store: Store, *, tenant: str = TENANT, limit: int = 50, before: str | None = None, **what: Any) -> str:
    """The keys of the runs that a search finds, newest first."""
    runs = await store.runs.search(tenant, Search(**what), before=before, limit=limit)
    totals = await store.runs.totals(tenant, Search(**what))
    if before is None and len(runs) < limit:
        assert sum(totals.statuses.values()) == len(runs)
        assert totals.usage.cost == sum(run.usage.cost for run in runs)
        assert sum(totals.kinds.values()) == sum(run.error is not None for run in runs)
    return "".join(run.key or "-" for run in runs)


async def take(store: Store, flow: str) -> Claim:
    (claimed,) = await store.claims.claim(ANNA, [f"{flow}@1"], 10, LATER)
    return claimed.claim


async def failed(store: Store, flow: str, status: RunStatus, kind: str, message: str, **more: str) -> None:
    """Ends the one run of a flow that is ready, with an error as it is stored."""
    record = b'{"code":"boom","kind":"%s","message":%s%s}'
    rest = "".join(f',"{name}":{value}' for name, value in more.items()).encode()
    error = record % (kind.encode(), message.encode(), rest)
    claim = await take(store, flow)
    await store.claims.settle(claim, Finish(status, event(1), error=error))


@pytest.fixture
async def board(store: Store) -> Store:
    """Runs by the names of their keys: one in each state."""
    put = store.runs.start
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await put(new_run(key="a", flow="failing", at=T0, by="person:mia", trace=trace, labels={"team": "blue", "x": "1"}))
    await failed(store, "failing", RunStatus.FAILED, "timeout", '"Der Müller \\"rief\\" A_B 100%"', path='"3:tool"')
    await put(new_run(key="b", flow="order", at=T0 + 10, by="key:k1", labels={"team": "red"}))
    claim = await take(store, "order")
    await store.journal.append(claim, [event(1)], Extras(labels={"mood": "good"}, spent=Usage(10, 5, 700, 3, 2, 1)))
    child = await child_of(store, claim, 2, flow="sub", key="c", at=T0 + 20)
    await failed(store, "sub", RunStatus.DEAD, "bug", '"\\u0000 it broke"', detail='{"timeout":"Müller"}')
    await store.claims.settle(claim, end(3))
    await put(new_run(key="d", flow="blocking", at=T0 + 30))
    await failed(store, "blocking", RunStatus.BLOCKED, "version", '"other code"')
    await put(new_run(key="e", flow="parking", at=T0 + 40, by="schedule:nightly"))
    await store.claims.settle(await take(store, "parking"), park())
    await put(new_run(key="f", flow="pay", at=T0 + 50, labels={'q"uo\\te': "ÄÖ\n"}))
    await take(store, "pay")
    await put(new_run(key="g", flow="pay", at=T0 + 60))
    await put(new_run(key="x", flow="pay", at=T0 + 5, tenant=STRANGER, by="person:mia"))
    assert child
    return store


async def test_who_started_a_run_and_its_trace_are_kept_wherever_it_is_read(store: Store) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    lone, keyed = new_run(by="key:k1", trace=trace), new_run(by="person:mia", trace=trace, key="k")
    for new in (lone, keyed):
        await store.runs.start(new)
        (claimed,) = await store.claims.claim(ANNA, ["order@1"], 1, LATER)
        child = new_run(parent=new.id, parent_path="1:child", depth=1, trace=trace, start_at=LATER)
        await store.journal.append(claimed.claim, [event(1)], Extras(children=(child,)))
        rows = await store.runs.rows(TENANT, [new.id])
        for run in (claimed.run, await store.runs.get(TENANT, new.id), rows[new.id]):
            assert (run.by, run.trace) == (new.by, trace)
        (found_child,) = await store.runs.find(TENANT, parent=new.id)
        assert (found_child.by, found_child.trace) == (None, trace)
        await store.claims.settle(claimed.claim, end(2))
    fork = await store.runs.fork(TENANT, lone.id, 1, new_id(), LATER)
    assert (fork.by, fork.trace) == (None, None)


async def test_runs_are_found_by_what_their_rows_say(board: Store) -> None:
    assert await found(board) == "gfedcba"
    assert await found(board, tenant=STRANGER) == "x"
    assert await found(board, statuses=(RunStatus.FAILED,)) == "a"
    assert await found(board, statuses=(RunStatus.DEAD, RunStatus.BLOCKED, RunStatus.CANCELLED)) == "dc"
    assert await found(board, statuses=(RunStatus.READY, RunStatus.RUNNING, RunStatus.WAITING)) == "gfe"
    assert await found(board, statuses=(RunStatus.WAITING,)) == "e"
    assert await found(board, statuses=(RunStatus.RUNNING, RunStatus.FAILED, RunStatus.SUCCEEDED)) == "fba"
    assert await found(board, kind="timeout") == "a"
    assert await found(board, kind="timeout", statuses=(RunStatus.READY,)) == ""
    assert await found(board, by="person:mia") == "a"
    assert await found(board, since=T0 + 10, until=T0 + 30) == "cb"
    assert await found(board, roots=True) == "gfedba"
    assert await found(board, labels={"team": "blue"}) == "a"
    assert await found(board, labels={"team": "red", "mood": "good"}) == "b"
    assert await found(board, labels={"team": "red", "x": "1"}) == ""
    assert await found(board, labels={'q"uo\\te': "ÄÖ\n"}) == "f"
    assert await found(board, flows=("pay", "failing"), roots=True, until=T0 + 60) == "fa"


async def test_pages_follow_each_other(board: Store) -> None:
    ids = {run.key: run.id for run in await board.runs.search(TENANT, Search())}
    assert await found(board, limit=3) == "gfe"
    assert await found(board, limit=3, before=ids["e"]) == "dcb"
    assert await found(board, before=ids["c"], roots=True) == "ba"
    assert await found(board, before=ids["f"], statuses=(RunStatus.READY, RunStatus.WAITING)) == "e"
    assert await found(board, before=ids["d"], statuses=(RunStatus.BLOCKED, RunStatus.DEAD, RunStatus.FAILED)) == "ca"
    assert await found(board, before="no such run") == ""


async def test_a_search_looks_at_the_newest_runs_only_where_it_is_told_to_and_says_where_it_ended(board: Store) -> None:
    ids = {run.key: run.id for run in await board.runs.search(TENANT, Search())}

    async def steps(among: int, **what: Any) -> list[str]:
        """What each search finds that goes on behind the one before."""
        search, before, seen = Search(among=among, **what), None, []
        while True:
            runs = await board.runs.search(TENANT, search, before=before)
            seen.append("".join(run.key or "" for run in runs))
            if (before := await board.runs.reach(TENANT, search, before=before)) is None:
                return seen

    assert await steps(3) == ["gfe", "dcb", "a"]
    assert await steps(7) == await steps(100) == ["gfedcba"]
    assert await steps(3, labels={"team": "red"}) == ["", "b", ""]
    assert await steps(2, text="mia") == ["", "", "", "a"]
    assert await steps(1, statuses=(RunStatus.FAILED, RunStatus.DEAD)) == ["", "c", "a"], "of those with an error"
    assert await steps(1, statuses=(RunStatus.DEAD,)) == ["", "c"], "of those that are stuck"
    assert await steps(1, statuses=(RunStatus.READY, RunStatus.WAITING)) == ["ge"], "those at work are all looked at"
    assert await board.runs.reach(TENANT, Search()) is None
    assert await board.runs.reach(STRANGER, Search(among=1)) is None
    assert await board.runs.reach(TENANT, Search(among=2), before=ids["e"]) == ids["c"]
    some = await board.runs.totals(TENANT, Search(among=4))
    assert (sum(some.statuses.values()), some.kinds, some.whole) == (4, {"version": 1}, False)
    assert (await board.runs.totals(TENANT, Search(among=7))).whole
    worst = await board.runs.totals(TENANT, Search(statuses=(RunStatus.BLOCKED, RunStatus.DEAD), among=1))
    assert (worst.statuses, worst.kinds, worst.whole) == ({RunStatus.BLOCKED: 1}, {"version": 1}, False)


async def test_runs_of_a_time_are_found_however_many_came_before_and_by_whichever_clock(store: Store) -> None:
    hours = (0, 1, 2, 50, 51, 50.5, 52, 90, 90, 91)  # one of them by a clock that is half an hour behind
    for number, hour in enumerate(hours):
        await store.runs.start(new_run(key=f"{number}", at=T0 + hour * 3_600))
        await store.runs.start(new_run(key="x", at=T0 + hour * 3_600, tenant=STRANGER, flow=f"flow{number}"))
    for since in (-5, 0, 0.5, 2, 3, 50, 50.5, 50.7, 51.5, 89, 90, 91, 92):
        wanted = "".join(str(number) for number, hour in enumerate(hours) if hour >= since)[::-1]
        assert await found(store, since=T0 + since * 3_600) == wanted, since
        assert await found(store, since=T0 + since * 3_600, among=50, statuses=(RunStatus.READY,)) == wanted, since
    assert await found(store, tenant="nobody", since=T0) == ""
    recent = Search(since=T0 + 90 * 3_600, among=3)
    assert (await store.runs.totals(TENANT, recent)).whole, "what is older does not count"


async def test_flows_are_found_by_patterns_in_which_a_star_alone_is_special(store: Store) -> None:
    for flow in (*ODD, "aXb"):
        await store.runs.start(new_run(flow=flow, key=flow))

    async def of(*flows: str) -> list[str | None]:
        return [run.key for run in await store.runs.search(TENANT, Search(flows=flows))][::-1]

    for flow in ODD:
        if "*" not in flow:
            assert await of(flow) == [flow]
            assert await of(f"{flow[:-1]}*") == [flow], "with a star, the rest is meant as it stands"
    assert await of("a*b") == ["a*b", "a_b", "a%b", "a?b", "a\\b", "aXb"]
    assert await of("a*") == [*ODD[:-1], "aXb"]
    assert await of("*") == [*ODD, "aXb"]
    assert await of() == [], "no flow at all"
    assert await of("aXb", "A*", "nothing*") == ["A*b", "aXb"]


async def test_words_are_looked_for_wherever_a_run_has_text(board: Store) -> None:
    runs = {run.key: run for run in await board.runs.search(TENANT, Search())}
    assert await found(board, text=runs["d"].id[5:].upper()) == "d"
    assert await found(board, text="PaY") == "gf"
    assert await found(board, text="nightLY") == "e"
    assert await found(board, text="mia BLUE failing") == "a"
    assert await found(board, text="mia red") == "", "all words in one run"
    assert await found(board, text="good") == "b", "a label that was set on the way"
    for word in ("müller", "MÜLLER", "Müller", '"rief"', "a_b", "100%", "A_B   100%\n"):
        assert await found(board, text=word) == "a", word
    for word in ("axb", "1%0", "b*", "tool"):
        assert await found(board, text=word) == "", word
    assert await found(board, text="äö") == "f"
    assert await found(board, text='Q"UO\\TE') == "f"
    assert await found(board, text="broke") == "c"
    assert await found(board, text="broke", statuses=(RunStatus.SUCCEEDED,)) == ""
    assert await found(board, text="parking", statuses=(RunStatus.WAITING,)) == "e"
    assert await found(board, text=" \n\t") == "gfedcba"


async def test_totals_say_how_runs_stand_what_they_failed_of_and_what_they_cost(board: Store) -> None:
    totals = await board.runs.totals(TENANT, Search())
    assert totals.statuses == {status: 1 for status in RunStatus if status is not RunStatus.CANCELLED}
    assert totals.kinds == {"timeout": 1, "bug": 1, "version": 1}
    assert totals.usage == Usage(10, 5, 700, 3, 2, 1)
    nothing = await board.runs.totals(TENANT, Search(by="nobody"))
    assert (nothing.statuses, nothing.kinds, nothing.usage) == ({}, {}, Usage())


@pytest.mark.parametrize(
    "search",
    [
        Search(text="x" * 1_001),
        Search(text=" ".join("x" * 17)),
        Search(labels={str(n): "x" for n in range(17)}),
        Search(flows=tuple(f"{n}*" for n in range(201))),
        Search(flows=("*" * 1_001,)),
        Search(by="a\x00b"),
        Search(labels={"a": "\ud800"}),
    ],
)
async def test_what_no_run_can_have_is_refused(store: Store, search: Search) -> None:
    with pytest.raises(InputInvalid, match="a search for"):
        await store.runs.search(TENANT, search)
    with pytest.raises(InputInvalid, match="a search for"):
        await store.runs.totals(TENANT, search)


async def test_news_of_many_runs_come_in_one_read(store: Store) -> None:
    ids = [(await store.runs.start(new_run(input=b'"%s"' % (b"x" * 20_000)))).run_id for _ in range(3)]
    claims = {c.run.id: c.claim for c in await store.claims.claim(ANNA, ["order@1"], 3, LATER)}
    for run_id in ids[:2]:
        await store.journal.append(claims[run_id], [event(seq) for seq in range(1, 5)])
    await store.claims.settle(claims[ids[0]], end(5))
    fork = (await store.runs.fork(TENANT, ids[0], 2, new_id(), LATER)).id
    theirs = (await store.runs.start(new_run(tenant=STRANGER))).run_id
    after = {ids[0]: -1, ids[1]: 2, ids[2]: 0, fork: 0, theirs: -1, "nobody": -1}
    news = await store.journal.news(TENANT, after, 100)
    assert {run_id: [e.seq for e in events] for run_id, events in news.items()} == {
        ids[0]: [0, 1, 2, 3, 4, 5],
        ids[1]: [3, 4],
        fork: [1, 2, 3],
    }
    assert news[ids[0]] == await store.journal.read(TENANT, ids[0])
    assert news[fork] == await store.journal.read(TENANT, fork, after=0)
    few = await store.journal.news(TENANT, {ids[0]: 0, fork: 1}, 2)
    assert {run_id: [e.seq for e in events] for run_id, events in few.items()} == {ids[0]: [1, 2], fork: [2, 3]}
    assert await store.journal.news(TENANT, {}, 10) == {}
