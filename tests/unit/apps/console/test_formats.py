import pytest

from callboard.apps.console.formats import brief, duration, money, percent, pretty, size, time
from callboard.apps.console.rendering import link


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"), (0, "0 s"), (0.00002, "20 µs"), (0.84, "840 ms"), (0.9999, "1.0 s"), (3.21, "3.2 s"),
        (59.99, "1 min"), (250, "4 min 10 s"), (7_500, "2 h 5 min"), (270_000, "3 d 3 h"), (-4, "0 s"),
    ],
)  # fmt: skip
def test_lengths_of_time_have_two_units(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_figures_are_as_long_as_they_say_something() -> None:
    assert [money(each) for each in (None, 0, 7, 1_234, 1_500_000, 12_345_678_900)] == [
        "–", "$0.00", "<$0.0001", "$0.0012", "$1.50", "$12,345.68",
    ]  # fmt: skip
    assert [size(each) for each in (None, 999, 1_500, 2_000_000)] == ["–", "999 B", "1.5 kB", "2.0 MB"]
    assert [percent(each) for each in (None, 0.5, 0.015, 1.0)] == ["–", "50 %", "1.5 %", "100 %"]
    assert brief("a\n  b" * 99, 10) == "a ba ba b…" and brief({"a": 1}) == '{"a": 1}'
    assert len(pretty("x" * 500_000)) < 210_000


def test_times_are_written_for_machines_and_people() -> None:
    assert str(time(1.5, "ago")) == (
        '<time datetime="1970-01-01T00:00:01.500Z" data-form="ago" title="1970-01-01 00:00:01 UTC">01-01 00:00</time>'
    )
    assert time(None) == "–"


def test_links_keep_the_rest_of_a_query() -> None:
    query = {"status": "failed", "q": "a&b"}
    assert link("/x", query, status=None, kind="bug") == "/x?q=a%26b&kind=bug"
    assert link("/x", {}, label="a=<b>") == "/x?label=a%3D%3Cb%3E" and link("/x", query, status="", q=None) == "/x"
