import pytest

from callboard.agents.stops import Stop, Turn, after_tool, stopped, unsure, when_said
from callboard.domain.errors import InputInvalid
from callboard.domain.message import ToolCall, ToolResult
from callboard.domain.usage import NOTHING


def turn(text: str = "", called: str = "", error: str | None = None, number: int = 1) -> Turn:
    calls = (ToolCall("1", called),) if called else ()
    results = (ToolResult("1", called, "done", error),) if called else ()
    return Turn(number, text, calls, results, NOTHING)


def test_the_first_condition_that_holds_is_named() -> None:
    conditions = [Stop("never", lambda t: False), Stop("third", lambda t: t.number == 3), Stop("any", lambda t: True)]
    assert [found.name for n in (1, 3) if (found := stopped(conditions, turn(number=n)))] == ["any", "third"]
    assert stopped(conditions[:2], turn()) is None


def test_a_tool_ends_the_agent_only_when_it_worked() -> None:
    stop = after_tool("refund")
    assert stop.name == "after_refund"
    assert stop.when(turn(called="refund"))
    assert not stop.when(turn(called="refund", error="timeout"))
    assert not stop.when(turn(called="order"))


def test_words_end_the_agent() -> None:
    assert when_said(r"\bGOODBYE\b").when(turn("so, GOODBYE then"))
    assert not when_said(r"\bGOODBYE\b").when(turn("goodbye"))
    with pytest.raises(InputInvalid, match="regular expression"):
        when_said("(")


@pytest.mark.parametrize(
    ("text", "low"),
    [
        ('{"confidence": 0.2}', True),
        ('{"confidence": 0.5}', False),
        ('{"confidence": true}', False),
        ('{"other": 0}', False),
        ("[0.1]", False),
        ("no JSON", False),
    ],
)
def test_a_low_number_of_its_own_does_not_let_an_answer_pass(text: str, low: bool) -> None:
    stop = unsure(0.5)
    assert stop.fails
    assert stop.when(turn(text)) is low
    assert not stop.when(turn('{"confidence": 0.1}', called="order"))
