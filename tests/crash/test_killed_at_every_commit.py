"""Processes are killed around every commit of a run, and another goes on: nothing is lost, nothing is done twice."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.crash.judge import differences, report_of
from tests.crash.ledger import read
from tests.crash.stage import Point
from tests.crash.troupe import Troupe

pytestmark = pytest.mark.timeout(600)
EXPECTED: dict[str, Any] = {
    "everything": {
        "patched": True,
        "dice": None,
        "steps": [2, 3, 1, "step_failed bug"],
        "parallel": [[60, 22, "saw shoe", 72], [1, 120], [[0, 180], "step_failed bug"]],
        "limits": ["timed_out timeout", 80, "timed_out timeout"],
        "letters": [1, 2, "yes", "timed_out timeout", "before anybody waits"],
        "people": [
            ["approved", {"answer": "approve"}, "Mia"],
            ["edited", {"answer": "edited"}, "Mia"],
            ["rejected", None, "Mia"],
            ["expired", {"answer": None}, "deadline"],
            ["approved", {"answer": None}, "deadline"],
            "timed_out timeout",
        ],
        "tools": [
            "saw glove", "charged A1", "reserved glove", "spoke to Mia", "shipped A1", "shipped A2",
            "tool_failed upstream_rejected", "tool_failed upstream_rejected", "it was fine in Rome",
        ],
        "children": ["charged awaited", "charged attached"],
        "verdict": [True, "all was sent"],
    },
    "announcements": ["published first", 200, "published second", "published third"],
    "family": [
        ["charged smith/1", ["charged smith/2/a", "charged smith/2/b"], None],
        "child_failed upstream_rejected",
        "charged smith/apart",
    ],
    "till": "three charged",
}  # fmt: skip
CountDeaths = Callable[[int], None]
around = pytest.mark.parametrize("point", ["before_commit", "after_commit"])


@pytest.mark.parametrize("scenario", EXPECTED)
def test_an_undisturbed_play_gives_what_is_written_and_repeats_nothing(troupe: Troupe, scenario: str) -> None:
    folder = troupe.calm(scenario)
    (output,) = [run.output for name, run in report_of(folder).runs.items() if name.startswith(f"{scenario} ")]
    assert ({**output, "dice": None} if isinstance(output, dict) else output) == EXPECTED[scenario]
    assert not list(differences(folder, folder))
    counts = Counter(entry.effect for entry in read(folder / "ledger"))
    assert {effect.partition("#")[0] for effect, count in counts.items() if count > 1} <= {"stumble", "dial", "weather"}


@pytest.mark.parametrize(("point", "begin"), [("before_commit", 1), ("after_commit", 2)])
def test_every_kind_of_effect_survives_a_kill(
    troupe: Troupe, count_deaths: CountDeaths, point: Point, begin: int
) -> None:
    """With each change every commit is met on one side: on which, takes turns. The soak has both sides of each."""
    series = troupe.kill_at_each("everything", point, begin=begin, stride=2)
    count_deaths(series.deaths)
    assert not series.wrong


@pytest.mark.soak
@pytest.mark.parametrize(("point", "begin"), [("before_commit", 2), ("after_commit", 1)])
def test_every_kind_of_effect_survives_a_kill_on_the_other_side(
    troupe: Troupe, count_deaths: CountDeaths, point: Point, begin: int
) -> None:
    series = troupe.kill_at_each("everything", point, begin=begin, stride=2)
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


# Three are an intent beside another and the outcome of one: with fewer no process would get on.
@pytest.mark.parametrize(
    ("nth", "scenario"),
    [
        *((3, scenario) for scenario in ("announcements", "family", "till")),
        *((4, scenario) for scenario in ("announcements", "everything", "till")),
        (5, "family"),
        (7, "everything"),
    ],
)
def test_a_run_whose_every_worker_dies_still_ends_as_it_should(
    troupe: Troupe, count_deaths: CountDeaths, scenario: str, nth: int
) -> None:
    played, wrong = troupe.kill_again_and_again(scenario, nth)
    count_deaths(played.deaths)
    assert played.deaths
    assert not wrong
