"""Journals recorded by earlier versions replay through today's code: the same outcome, and nothing is executed."""

from pathlib import Path

import pytest

from callboard.domain.event import Event
from callboard.domain.run import RunStatus
from tests.replay.flows import EXECUTED, app
from tests.replay.journal_file import FOLDER, KeptRun, read
from tests.replay.record import INPUTS, play
from tests.replay.resuming import Resumed, resumed, state_of, told

KEPT = sorted(FOLDER.rglob("*.jsonl"))
# Of these all that a run needs is in its journal: no child, no question, no letter that only other rows have.
ALONE = [path for path in KEPT if path.stem in ("values", "parallel", "clerk")]

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.fixture(autouse=True)
def nothing_executed() -> None:
    EXECUTED.clear()


async def replay(kept: KeptRun, events: list[Event]) -> Resumed:
    async with resumed(app, kept, events) as test:
        await test.settle()
        return await state_of(test, kept.id)


@pytest.mark.parametrize("path", KEPT, ids=name_of)
async def test_a_kept_journal_replays_to_the_same_end_without_executing_anything(path: Path) -> None:
    kept, events = read(path)
    replayed = await replay(kept, events[:-1])
    assert EXECUTED == []
    assert replayed.status == kept.status
    assert [told(event) for event in replayed.events] == [told(event) for event in events]


@pytest.mark.parametrize("path", ALONE, ids=name_of)
async def test_a_run_resumed_from_any_event_of_its_journal_ends_as_it_did(path: Path) -> None:
    kept, events = read(path)
    for length in range(2, len(events)):
        async with resumed(app, kept, events[:length]) as test:
            await play(test)
            end = await state_of(test, kept.id)
        assert end.status == kept.status, f"resumed after event {length - 1}"
        assert end.events[:length] == events[:length]
        if kept.flow != "values":  # which has chance and the clock in what it returns
            assert end.events[-1].body == events[-1].body, f"resumed after event {length - 1}"


@pytest.mark.parametrize("path", KEPT, ids=name_of)
@pytest.mark.parametrize("flow", ["nothing", "something"])
async def test_a_flow_that_asks_for_something_else_is_blocked_and_not_answered(path: Path, flow: str) -> None:
    kept, events = read(path)
    replayed = await replay(KeptRun(id=kept.id, flow=flow, version="1", status=kept.status), events[:-1])
    assert EXECUTED == []
    assert replayed.status is RunStatus.BLOCKED
    assert [told(event) for event in replayed.events[:-1]] == [told(event) for event in events[:-1]]


async def test_a_run_in_flight_whose_input_no_longer_fits_is_blocked_and_not_failed() -> None:
    kept, events = read(next(path for path in KEPT if path.stem == "parallel"))
    values = KeptRun(id=kept.id, flow="values", version="1", status=kept.status)  # wants a dict, is given none
    assert (await replay(values, events[:-1])).status is RunStatus.BLOCKED


def test_every_version_keeps_a_journal_of_each_flow() -> None:
    for folder in FOLDER.iterdir():
        flows = {read(path)[0].flow for path in folder.glob("*.jsonl")}
        assert flows >= INPUTS.keys(), f"{folder.name} lacks {INPUTS.keys() - flows}"
