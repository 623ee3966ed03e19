"""Runs recorded before models had routes, budgets, notes and watchers go on under today's code as they began."""

from pathlib import Path

import pytest

from callboard.domain.run import RunStatus
from tests.acceptance.hardships.older import ASKED, app
from tests.replay.journal_file import read
from tests.replay.resuming import resumed, state_of, told

KEPT = sorted(Path(__file__).with_name("journals").glob("*.jsonl"))


@pytest.fixture(autouse=True)
def nobody_asked() -> None:
    ASKED.clear()


# The last of its rounds was not followed by anything yet: there today's rules hold.
ENDED = [path for path in KEPT if path.stem != "ping_pong"]


@pytest.mark.parametrize("path", ENDED, ids=lambda path: str(path.stem))
async def test_a_journal_of_before_replays_to_its_end_and_nobody_is_asked_anew(path: Path) -> None:
    kept, events = read(path)
    async with resumed(app, kept, events[:-1]) as test:
        await test.settle()
        found = await state_of(test, kept.id)
    assert [told(event) for event in found.events] == [told(event) for event in events]
    assert found.status == kept.status
    assert not ASKED


@pytest.mark.parametrize("path", KEPT, ids=lambda path: str(path.stem))
async def test_a_run_of_before_goes_on_from_each_of_its_events(path: Path) -> None:
    kept, events = read(path)
    for length in range(2, len(events)):
        async with resumed(app, kept, events[:length]) as test:
            for _ in range(30):
                await test.wind(60)
                found = await state_of(test, kept.id)
                if found.status.ended:
                    break
            assert found.status in (RunStatus.SUCCEEDED, RunStatus.FAILED), (length, found.status)
            assert found.events[:length] == events[:length]
