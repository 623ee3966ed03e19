"""The model adds up what was measured, and the page on scale shows what the model says."""

import math
import re
from pathlib import Path

import msgspec
import pytest

from bench.capacity.__main__ import main
from bench.capacity.costs import Costs, Group, Idle, Start, Unit, Wake, load, save
from bench.capacity.model import DAY, Load, forecast
from bench.capacity.pages import renew
from bench.capacity.tables import TABLES

PAGE = Path(__file__).parents[3] / "docs" / "scale.md"
NONE = Unit(0, 0, 0, 0, 0, 0)
COSTS = Costs(
    machine="a machine of round numbers",
    step=Unit(worker=0.001, server=0.0005, log=400, kept=300, rows=1, writes=1),
    turn=Unit(worker=0.002, server=0.001, log=800, kept=600, rows=2, writes=2),
    run=Unit(worker=0.002, server=0.001, log=1_000, kept=700, rows=2, writes=3),
    group=Group(worker=0, server=0, log=0, seconds=0),
    start=Start(door=0.001, lone_door=0, lone_worker=0, lone_server=0, lone_log=0, seconds=0),
    idle=Idle(worker=0, server=0, transactions=0, connections=5),
    wake=Wake(worker=0, server=0),
    wake_redis=Wake(worker=0, server=0),
)


def replaced(**parts: object) -> Costs:
    return msgspec.structs.replace(COSTS, **parts)


def test_costs_add_up_and_runs_in_flight_follow_from_their_time() -> None:
    told = forecast(Load(runs_per_second=10, steps=10, latency=2.0), COSTS)
    assert told.run_seconds == pytest.approx(20)
    assert told.inflight == pytest.approx(200)
    assert told.worker_cpu == pytest.approx(10 * (0.002 + 10 * 0.001))
    assert told.server_cpu == pytest.approx(10 * (0.001 + 10 * 0.0005))
    assert told.log == pytest.approx(10 * (1_000 + 10 * 400))
    assert told.kept_per_day == pytest.approx(10 * DAY * (700 + 10 * 300))
    assert told.rows_per_day == pytest.approx(10 * DAY * 12)
    assert told.connections == (told.workers + told.doors) * 5


def test_what_is_kept_goes_by_the_mean_and_not_by_the_peak() -> None:
    told = forecast(Load(runs_per_second=30, mean_runs_per_second=10, steps=10), COSTS)
    assert told.kept_per_day == pytest.approx(10 * DAY * 3_700)
    assert told.worker_cpu == pytest.approx(30 * 0.012)


@pytest.mark.parametrize(
    ("latency", "busy", "workers"),
    [(2.0, 0.6, 4), (0.0, 0.6, 1), (0.0, 0.1, 5)],
    ids=["slots decide", "one is enough", "processor time decides"],
)
def test_workers_are_as_many_as_slots_and_processors_ask_for(latency: float, busy: float, workers: int) -> None:
    load = Load(runs_per_second=40, steps=10, latency=latency, slots=256, busy=busy)
    assert forecast(load, COSTS).workers == workers


def test_writes_of_a_busy_process_share_their_transactions() -> None:
    costs = replaced(group=Group(worker=0.0, server=0.001, log=0, seconds=0.002))
    lone = forecast(Load(runs_per_second=0.1, steps=1, latency=0, workers=1), costs)
    busy = forecast(Load(runs_per_second=10_000, steps=1, latency=0, workers=1, doors=1), costs)
    assert lone.transactions == pytest.approx(0.1 * 4, rel=0.01)  # nobody to share with
    assert busy.server_cpu == pytest.approx(10_000 * 0.0015 + 500 * 0.001, rel=0.01)  # one after the other, 2 ms each


def test_a_ring_that_all_hear_costs_by_their_number_and_one_in_redis_does_not() -> None:
    costs = replaced(wake=Wake(worker=0.0001, server=0.0002))
    alone = forecast(Load(runs_per_second=10, workers=1, doors=1), costs)
    heard = forecast(Load(runs_per_second=10, workers=101, doors=1), costs)
    redis = forecast(Load(runs_per_second=10, workers=101, doors=1, bell="redis"), costs)
    assert heard.server_cpu - alone.server_cpu == pytest.approx(10 * 100 * 0.0002)
    assert heard.worker_cpu - alone.worker_cpu == pytest.approx(10 * 100 * 0.0001)
    assert redis.server_cpu == pytest.approx(alone.server_cpu)


def test_a_fleet_that_no_number_of_workers_can_serve_is_an_error() -> None:
    costs = replaced(wake=Wake(worker=0.1, server=0.0))
    with pytest.raises(ValueError, match="no number of workers"):
        forecast(Load(runs_per_second=100, latency=0), costs)


def test_databases_share_what_one_cannot_carry() -> None:
    load = Load(runs_per_second=4_000, steps=10, latency=0, cores=16, busy=0.6)
    told = forecast(load, COSTS)
    assert told.server_cpu == pytest.approx(24)
    assert told.databases == 3


def test_constants_are_kept_with_three_digits(tmp_path: Path) -> None:
    save(replaced(step=Unit(math.pi / 1e5, 0, 0, 0, 0, 1)), tmp_path / "measured.json")
    assert load(tmp_path / "measured.json").step.worker == 3.14e-5


def test_the_page_shows_what_the_constants_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert renew(page, load()) == page, "write the tables: python -m bench.capacity --page docs/scale.md"
    assert set(re.findall(r"<!-- capacity: ([a-z ]+) -->", page)) == set(TABLES)


def test_a_page_with_an_old_figure_is_noticed() -> None:
    page = "<!-- capacity: costs -->\nold\n<!-- end -->\n"
    assert "old" not in renew(page, COSTS)


def test_the_command_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tables"]) == 0
    printed = capsys.readouterr().out
    page = PAGE.read_text(encoding="utf-8")
    for name in TABLES:
        found = re.search(rf"<!-- capacity: {name} -->\n(.*?)<!-- end -->", page, re.DOTALL)
        assert found
        assert found[1].strip() in printed, name


def test_the_command_foretells(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs-per-second", "10", "--steps", "10", "--model-latency", "2", "--workers", "3"]) == 0
    printed = capsys.readouterr().out
    assert "| workers | 3 |" in printed
    assert "| inflight | 20" in printed


def test_the_model_was_right_about_the_loads_that_were_put_on() -> None:
    assert load().checks, "measure with python -m bench.capacity --measure"
    for name in ("costs", "check"):
        assert "nan" not in TABLES[name](load())
