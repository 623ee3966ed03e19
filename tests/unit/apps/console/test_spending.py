from callboard.apps.console.spending import daily, days, over_time
from callboard.runtime import Spent

DAY = 86_400.0
MONDAY = 1_700_438_400.0  # 2023-11-20
DATES = ["2023-11-20", "2023-11-21", "2023-11-22"]


def row(name: str, day: int, usd: int) -> Spent:
    return Spent(name=name, days={f"2023-11-{day}": usd * 1_000_000})


def test_a_chart_has_every_day_and_tells_five_groups_apart() -> None:
    assert days(MONDAY + 10, MONDAY + 2 * DAY) == DATES
    lines = over_time([row("a", 20, 6), row("b", 22, 1), *(row(f"f{n}", 22, 1) for n in range(6))], DATES)
    assert [line.name for line in lines] == ["a", "b", "f0", "f1", "f2", "others"]
    assert lines[0].values == [6.0, 0.0, 0.0] and lines[-1].values == [0.0, 0.0, 3.0]
    assert [line.name for line in over_time([row("a", 20, 6)], DATES)] == ["a"]
    found = daily([Spent(name="2023-11-22", runs=6), Spent(name="2023-11-19", runs=1)], DATES)
    assert [(each.name, each.runs) for each in found] == list(zip(DATES, [0, 0, 6], strict=True))
