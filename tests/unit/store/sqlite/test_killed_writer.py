"""A process killed at a commit has lost nothing that it reported, and left nothing half-written."""

import signal
from pathlib import Path

import pytest

from callboard.store.sqlite import SqliteStore
from tests.conformance.store.play import ANNA, TENANT, many_running, seqs_of
from tests.unit.store.sqlite.second_process import spawn

# Three runs append side by side; each event starts a child and sets a label. Every report is a promise.
APPEND_UNTIL_KILLED = """
    moment, number = args[0], int(args[1])
    seen = 0
    def fault(now):
        nonlocal seen
        seen += now == moment
        if now == moment and seen == number:
            os.kill(os.getpid(), signal.SIGKILL)
    store = SqliteStore(path, fault=fault)
    await store.open()
    async def work(held):
        for seq in range(1, 1000):
            child = new_run(flow="child", parent=held.run_id, parent_path=f"{seq}:c")
            extras = Extras(children=(child,), labels={"seq": str(seq)})
            await store.journal.append(held, [event(seq)], extras)
            report(held.run_id, seq)
    claims = [c.claim for c in await store.claims.claim(ANNA, FLOWS, 3, LATER)]
    await asyncio.gather(*[work(held) for held in claims])
"""


@pytest.mark.parametrize("number", [2, 5, 12])
@pytest.mark.parametrize("moment", ["before_commit", "after_commit"])
async def test_what_was_reported_is_there_and_nothing_is_half_written(tmp_path: Path, moment: str, number: int) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(str(path))
    await store.open()
    ids = [c.run_id for c in await many_running(store, 3)]
    await store.claims.retire(ANNA)
    process = spawn(APPEND_UNTIL_KILLED, path, moment, number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, err

    reported = dict.fromkeys(ids, 0)
    for line in out.splitlines():
        run_id, seq = line.split()
        reported[run_id] = int(seq)
    written = 0
    for run_id in ids:
        seqs = await seqs_of(store, run_id)
        last = seqs[-1]
        assert seqs == list(range(last + 1))
        assert last >= reported[run_id]
        children = await store.runs.find(TENANT, parent=run_id, limit=1000)
        assert len(children) == last
        assert (await store.runs.get(TENANT, run_id)).labels == ({"seq": str(last)} if last else {})
        written += last
    # The first commit is the claim; each later one carries at least one event, unless it never happened.
    assert written >= number - (1 if moment == "after_commit" else 2)
    assert (await store.check())["integrity"] == "ok"
    await store.close()


async def test_what_was_not_committed_is_gone_altogether(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(str(path))
    await store.open()
    held = (await many_running(store, 1))[0]
    await store.claims.retire(ANNA)
    # Commit 1 is the claim; the first append dies before commit 2.
    process = spawn(APPEND_UNTIL_KILLED, path, "before_commit", 2)
    assert process.communicate(timeout=60)[0] == ""
    assert await seqs_of(store, held.run_id) == [0]
    assert await store.runs.find(TENANT, parent=held.run_id) == []
    await store.close()
