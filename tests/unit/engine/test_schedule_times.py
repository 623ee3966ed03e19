"""When schedules are due: also where clocks are put forward and back, and when somebody is late."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.domain.errors import InputInvalid
from callboard.domain.run import Run, RunStatus
from callboard.engine.cron import Cron, text
from callboard.engine.due import GRACE, MADE_UP, Leave, Start, Wait, decide
from callboard.store.schedules import CatchUp, Overlap, Schedule

BERLIN = "Europe/Berlin"


def moment(written: str) -> float:
    return datetime.fromisoformat(written).replace(tzinfo=UTC).timestamp()


def dues(expression: str, zone: str, begin: str, count: int) -> list[str]:
    """The first moments after a time, in UTC without the year."""
    cron, when, found = Cron(expression, zone), moment(begin), []
    for _ in range(count):
        when = cron.after(when)
        found.append(text(when)[5:-4])
    return found


def test_six_fields_begin_with_seconds() -> None:
    assert text(Cron("*/20 * * * * *").after(moment("2027-01-01T00:00:25"))) == "2027-01-01T00:00:40Z"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 2 * * *", ["03-27T01:30", "03-28T01:00", "03-29T00:30"]),  # not half past two that night: at three
        ("0 30 2 * * *", ["03-27T01:30", "03-29T00:30", "03-30T00:30"]),  # with seconds: not that night
        ("30 * * * *", ["03-27T00:30", "03-27T01:30", "03-27T02:30"]),
    ],
)
def test_clocks_are_put_forward(expression: str, expected: list[str]) -> None:
    assert dues(expression, BERLIN, "2027-03-27T00:00:00", 3) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 2 * * *", ["10-30T00:30", "10-31T00:30", "11-01T01:30"]),  # the first half past two of that night
        ("0 30 2 * * *", ["10-30T00:30", "10-31T00:30", "10-31T01:30"]),  # with seconds: both
    ],
)
def test_clocks_are_put_back(expression: str, expected: list[str]) -> None:
    assert dues(expression, BERLIN, "2027-10-30T00:00:00", 3) == expected


def test_every_hour_of_the_long_and_the_short_night() -> None:
    assert dues("0 * * * *", BERLIN, "2027-03-27T23:30:00", 3) == ["03-28T00:00", "03-28T01:00", "03-28T02:00"]
    assert dues("0 * * * *", BERLIN, "2027-10-30T23:30:00", 3) == ["10-31T00:00", "10-31T01:00", "10-31T02:00"]


def test_nobody_is_sent_back_from_the_second_of_two_equal_hours() -> None:
    assert dues("30 2 * * *", BERLIN, "2027-10-31T01:10:00", 1) == ["11-01T01:30"]
    assert text(Cron("30 2 * * *", BERLIN).latest(moment("2027-10-31T01:10:00"))) == "2027-10-31T00:30:00Z"


def test_a_day_that_a_whole_country_left_out_stops_nobody() -> None:
    samoa = Cron("*/30 * 10 12 5", "Pacific/Apia")  # where there was no 2011-12-30
    assert samoa.latest(moment("2012-10-01T00:00:00")) <= moment("2012-01-01T00:00:00")


def field(low: int, high: int) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high).map(str)
    return st.one_of(
        st.just("*"),
        numbers,
        st.integers(1, high).map("*/{}".format),
        st.lists(numbers, min_size=2, max_size=3).map(",".join),
    )


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6)).map(" ".join),
    st.sampled_from(["UTC", BERLIN, "America/Nuuk", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia"]),
    st.integers(1_700_000_000, 2_000_000_000).map(lambda second: second + 0.25),
    st.integers(1, 5),
)
def test_moments_lie_where_they_should(expression: str, zone: str, when: float, count: int) -> None:
    cron = Cron(expression, zone)
    latest, after = cron.latest(when), cron.after(when)
    assert latest <= when < after
    assert cron.after(latest) == after
    assert cron.at(latest) == latest
    found = [cron.last(when, count)]
    while found[-1] <= when:
        found.append(cron.after(found[-1]))
    assert len(found) - 1 == count


@pytest.mark.parametrize(
    "expression", ["", "@daily", "9" * 5_000, "0 0 * 2 MON#6", "0 0 31 2,4 *", "*/0 * * * *", 5, b"x"]
)
def test_what_is_no_cron(expression: Any) -> None:
    with pytest.raises(InputInvalid, match=r"cron=.*write minute, hour, day"):
        Cron(expression)


@pytest.mark.parametrize("zone", ["", "Berlin", "Europe", "../x", "/etc/passwd", "Europe/Berlin\0", None, "x" * 300])
def test_what_is_no_zone(zone: Any) -> None:
    with pytest.raises(InputInvalid, match=r"zone=.*IANA"):
        Cron("* * * * *", zone)


HOURLY = Cron("0 * * * *")
HOUR = 3_600.0
TEN = moment("2027-01-01T10:00:00")


def step(
    overlap: str, catch_up: str, late: float, *, began: float | None = None, ended: float | None = None
) -> Start | Leave | Wait:
    """The step for what was due at ten, so many seconds late; the run before began and ended as long after ten."""
    schedule = Schedule(
        tenant="acme",
        name="s",
        flow="f",
        cron="0 * * * *",
        next_at=TEN,
        overlap=Overlap(overlap),
        catch_up=CatchUp(catch_up),
    )
    before = None
    if began is not None:
        status = RunStatus.RUNNING if ended is None else RunStatus.FAILED
        end = None if ended is None else TEN + ended
        before = Run(
            id="r", tenant="acme", flow="f", version="1", status=status, created_at=TEN + began, finished_at=end
        )
    return decide(schedule, HOURLY, before, TEN + late)


@pytest.mark.parametrize("overlap", list(Overlap))
@pytest.mark.parametrize("catch_up", list(CatchUp))
def test_in_time(overlap: str, catch_up: str) -> None:
    for late in (0.0, 1.0, GRACE):
        assert step(overlap, catch_up, late) == Start(TEN + HOUR)
        assert step(overlap, catch_up, late, began=-HOUR, ended=-1) == Start(TEN + HOUR)
        assert step(overlap, catch_up, late, began=-HOUR, ended=0) == Start(TEN + HOUR)


@pytest.mark.parametrize("catch_up", list(CatchUp))
def test_the_run_before_goes_on(catch_up: str) -> None:
    assert step("skip", catch_up, 1, began=-HOUR) == Leave(TEN + HOUR, "the run before had not ended")
    assert step("queue", catch_up, 1, began=-HOUR) == Wait(cancel=False)
    assert step("replace", catch_up, 1, began=-HOUR) == Wait(cancel=True)
    assert step("allow", catch_up, 1, began=-HOUR) == Start(TEN + HOUR)


@pytest.mark.parametrize("catch_up", list(CatchUp))
def test_all_who_look_see_the_same(catch_up: str) -> None:
    """A run that ended between ten and now had not ended at ten, whoever looks when."""
    for ended in (0.5, 1.0):
        assert step("skip", catch_up, 1, began=-HOUR, ended=ended) == Leave(TEN + HOUR, "the run before had not ended")
    for overlap in ("queue", "replace"):
        assert step(overlap, catch_up, 2.5 * HOUR, began=-HOUR, ended=2.5 * HOUR - 1) == Start(TEN + 3 * HOUR)


def test_missed() -> None:
    late = 5 * HOUR + 600
    for overlap in Overlap:
        assert step(overlap, "none", late) == Leave(TEN + 6 * HOUR, "it was missed")
        assert step(overlap, "last", late) == Leave(TEN + 5 * HOUR, "it was missed, and so was a later one")
        assert step(overlap, "last", 600) == Start(TEN + HOUR)
        assert step(overlap, "all", late) == Start(TEN + HOUR)
        assert step(overlap, "all", HOUR * MADE_UP - 1) == Start(TEN + HOUR)
        assert step(overlap, "all", HOUR * (MADE_UP + 2)) == Leave(
            TEN + 3 * HOUR, "it was missed, and so was a later one"
        )


def test_what_is_made_up_for_takes_turns() -> None:
    for overlap in ("skip", "queue", "replace"):
        assert step(overlap, "all", 2 * HOUR, began=1.9 * HOUR) == Wait(cancel=False)
        assert step(overlap, "all", 2 * HOUR, began=1.8 * HOUR, ended=1.9 * HOUR) == Start(TEN + HOUR)
    assert step("allow", "all", 2 * HOUR, began=1.9 * HOUR) == Start(TEN + HOUR)
