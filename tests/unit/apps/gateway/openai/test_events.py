"""Events of a response: however a reader is cut off, what it has and what it gets are the answer."""

from collections.abc import Sequence
from typing import Any

import pytest

from callboard.apps.gateway.openai.course import Answered, Asked, Call, Called, Ended, Said, Step
from callboard.apps.gateway.openai.events import Telling
from callboard.apps.gateway.openai.views import Facts
from callboard.domain.kinds import ErrorRecord
from callboard.domain.run import Outcome, Run, RunStatus

FACTS = Facts(run_id="r", model="m", created_at=1.0)
TEXT = "The answer is forty-two."
ORDER = Call(id="c", name="order", arguments="{}")


def ended(seq: int, text: str | None) -> Ended:
    status = RunStatus.FAILED if text is None else RunStatus.SUCCEEDED
    error = ErrorRecord("model_failed", "upstream_down", "it is down") if text is None else None
    run = Run(id="r", tenant="t", flow="m", version="1", status=status)
    return Ended(seq, run, Outcome(status, text, error))


def said(seq: int, text: str, size: int) -> list[Step]:
    return [Said(seq, at, text[at : at + size]) for at in range(0, len(text), size)]


def told(steps: Sequence[Step], *, speaks: bool, after: int = -1) -> list[dict[str, Any]]:
    telling = Telling(FACTS, speaks=speaks, after=after)
    return [*telling.begin("queued"), *(event for step in steps for event in telling.tell(step))]


def read(events: list[dict[str, Any]]) -> tuple[str, list[str], str]:
    """As a client reads them: the text of the last item that was begun, how items ended, how it all ended."""
    text, ends = "", []
    for event in events:
        if event["type"] == "response.output_item.added" and event["item"]["type"] == "message":
            text = ""
        elif event["type"] == "response.output_text.delta":
            text += event["delta"]
        elif event["type"] == "response.output_item.done" and event["item"]["type"] == "message":
            ends.append(event["item"]["status"])
    return text, ends, events[-1]["type"]


LIVE: dict[str, tuple[list[Step], bool, str | None, int]] = {
    "heard to the end": ([Asked(2), *said(2, TEXT, 3), ended(5, TEXT)], True, TEXT, 1),
    "heard in part": ([Asked(2), *said(2, TEXT[:9], 4), ended(5, TEXT)], True, TEXT, 1),
    "begun anew": ([Asked(2), *said(2, "Perhaps it is", 4), Asked(4), ended(7, TEXT)], True, TEXT, 2),
    "not heard": ([Asked(2), ended(5, TEXT)], True, TEXT, 1),
    "failed while it spoke": ([Asked(2), *said(2, "Perhaps", 4), ended(5, None)], True, None, 1),
    "with tools": (
        [Asked(2), Called(3, (ORDER,)), Answered(6, (ORDER,)), Asked(6), ended(9, TEXT)],
        False,
        TEXT,
        1,
    ),
}


@pytest.mark.parametrize("case", LIVE)
def test_a_reader_that_comes_back_at_any_place_has_the_answer(case: str) -> None:
    steps, speaks, text, items = LIVE[case]
    live = told(steps, speaks=speaks)
    kept = [step for step in steps if not isinstance(step, Said)]  # what another process finds in the journal
    for seen in range(len(live) + 1):
        before = live[:seen]
        rest = told(kept, speaks=speaks, after=before[-1]["sequence_number"] if before else -1)
        numbers = [event["sequence_number"] for event in (*before, *rest)]
        assert numbers == sorted(set(numbers))
        if not (before or rest) or (not rest and seen < len(live)):
            pytest.fail("the end is missing")
        found, ends, last = read([*before, *rest])
        if text is None:
            assert last == "response.failed"
            continue
        assert (found, last) == (text, "response.completed")
        assert ends[-1] == "completed"
        assert len(ends) <= items
        whole = (*before, *rest)[-1]["response"]["output"][-1]["content"][0]["text"]
        assert whole == text


def test_the_pieces_of_an_answer_are_cut_alike_nowhere_and_add_up_everywhere() -> None:
    long = TEXT * 1_000
    fast, slow = (
        told([Asked(2), ended(5, long)], speaks=True),
        told([Asked(2), *said(2, long, 7), ended(5, long)], speaks=True),
    )
    assert len(slow) > len(fast)
    assert read(fast) == read(slow)
    assert {event["sequence_number"] for event in fast if "delta" not in event} == {
        event["sequence_number"] for event in slow if "delta" not in event
    }
