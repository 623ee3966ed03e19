"""Twenty retail tasks over four workers on PostgreSQL and Redis, under fire; `retail_under_fire` plays all 520."""

from pathlib import Path

import pytest

from tests.fleet.retail_under_fire import SHARED, play, tasks


@pytest.mark.timeout(300)
@pytest.mark.skipif(
    not (SHARED / "data" / "retail").is_dir(), reason="needs CALLBOARD_SHARED: the folder with data/retail"
)
async def test_every_task_comes_out_right_and_every_effect_happens_once(tmp_path: Path) -> None:
    outcome = await play(tasks("dev"), 1.0, 1, tmp_path, latency=0.8)
    assert sum(outcome.faults.values()) >= 2
    assert not outcome.wrong
    assert (outcome.report.right, outcome.report.lost, outcome.report.doubled) == (20, 0, 0)
