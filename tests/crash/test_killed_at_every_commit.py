"""Processes are killed around every commit of a run, and another goes on: nothing is lost, nothing is done twice."""

from collections.abc import Callable

import pytest

from tests.crash.stage import Point
from tests.crash.troupe import Troupe

pytestmark = pytest.mark.timeout(600)
CountDeaths = Callable[[int], None]
around = pytest.mark.parametrize("point", ["before_commit", "after_commit"])


@around
def test_every_kind_of_effect_survives_a_kill(troupe: Troupe, count_deaths: CountDeaths, point: Point) -> None:
    series = troupe.kill_at_each("everything", point)
    count_deaths(series.deaths)
    assert not series.wrong


@around
def test_a_once_call_that_nobody_can_look_up_waits_for_a_person(
    troupe: Troupe, count_deaths: CountDeaths, point: Point
) -> None:
    series = troupe.kill_at_each("announcements", point)
    count_deaths(series.deaths)
    assert not series.wrong


@around
def test_parents_and_children_survive_a_kill(troupe: Troupe, count_deaths: CountDeaths, point: Point) -> None:
    series = troupe.kill_at_each("family", point)
    count_deaths(series.deaths)
    assert not series.wrong


@around
def test_an_agents_turn_goes_on_between_two_of_its_calls(
    troupe: Troupe, count_deaths: CountDeaths, point: Point
) -> None:
    series = troupe.kill_at_each("till", point)
    count_deaths(series.deaths)
    assert not series.wrong


@pytest.mark.parametrize("scenario", ["everything", "announcements", "family", "till"])
@pytest.mark.parametrize("nth", [7, 9])
def test_a_run_whose_every_worker_dies_still_ends_as_it_should(
    troupe: Troupe, count_deaths: CountDeaths, scenario: str, nth: int
) -> None:
    played, wrong = troupe.kill_again_and_again(scenario, nth)
    count_deaths(played.deaths)
    assert played.deaths
    assert not wrong
