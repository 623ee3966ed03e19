from callboard.apps.console.spending import daily, days, groups, over_time, spent
from callboard.domain.run import RunStatus
from callboard.domain.usage import Usage
from callboard.runtime import Cost

DAY = 86_400.0
MONDAY = 1_700_438_400.0  # 2023-11-20


def cost(flow: str, day: int = 20, usd: int = 1, runs: int = 1, child: bool = False, status: str = "succeeded") -> Cost:
    usage = Usage(100, 10, usd * 1_000_000, 50)
    return Cost(f"2023-11-{day}", flow, "1", child, RunStatus(status), runs, usage)


COSTS = [
    cost("a", 20, 4, 2),
    cost("a", 20, 2, 1, status="failed"),
    cost("b", 22, 1, 5, child=True),
    *(cost(f"f{n}", 22, 1) for n in range(6)),
]


def test_what_succeeded_is_charged_with_what_did_not() -> None:
    whole = spent(COSTS, "all", roots=True)
    assert (whole.runs, whole.succeeded, whole.failed, whole.wasted) == (9, 8, 1, 2_000_000)
    assert whole.per_success == round(13_000_000 / 8) and whole.cached == 0.5
    assert spent([], "none", roots=True).per_success is None


def test_groups_come_dearest_first_and_children_count_as_runs_of_their_flow() -> None:
    rows = groups(COSTS, "flow")
    assert [row.name for row in rows[:2]] == ["a", "b"] and rows[1].runs == 5
    assert {row.name for row in groups(COSTS, "status")} == {"succeeded", "failed"}
    assert groups(COSTS, "version")[0].name == "a@1"


def test_a_chart_has_every_day_and_tells_five_groups_apart() -> None:
    dates = days(MONDAY + 10, MONDAY + 2 * DAY)
    assert dates == ["2023-11-20", "2023-11-21", "2023-11-22"]
    lines = over_time(COSTS, "flow", dates)
    assert [line.name for line in lines] == ["a", "b", "f0", "f1", "f2", "others"]
    assert lines[0].values == [6.0, 0.0, 0.0] and lines[-1].values == [0.0, 0.0, 3.0]
    assert [row.runs for row in daily(COSTS, dates)] == [3, 0, 6]
