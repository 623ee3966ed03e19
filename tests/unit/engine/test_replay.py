"""Replay alone: what a journal answers, without a store, a clock or a flow."""

from typing import Any

import pytest

from callboard.domain.codec import encode
from callboard.domain.event import Event, EventKind
from callboard.domain.kinds import ErrorRecord
from callboard.engine.replay import Mismatch, Move, New, Open, Recorded, Replay

K = EventKind


def journal(*rows: tuple[EventKind, str] | tuple[EventKind, str, Any]) -> list[Event]:
    """Events with running numbers, after the first that every run has."""
    events = [Event(0, K.STARTED, "", b"", 0, 0, b"null")]
    for seq, (kind, path, *body) in enumerate(rows, 1):
        events.append(Event(seq, kind, path, b"", 0, 0, encode(body[0]) if body else b""))
    return events


def answer(replay: Replay, path: str, digest: bytes = b"") -> Move:
    place, _, name = path.partition(":")
    return replay.answer(place, name, digest)


def test_an_empty_journal_knows_nothing() -> None:
    replay = Replay(journal())
    assert answer(replay, "0:a") == New()
    assert replay.leftover() is None
    assert not replay.knows("0")


def test_an_outcome_is_returned_once_and_what_is_left_over_shows() -> None:
    events = journal((K.DONE, "0:a"), (K.FAILED, "1:b"))
    replay = Replay(events)
    assert answer(replay, "0:a") == Recorded(events[1])
    assert replay.leftover() == events[2]
    assert answer(replay, "1:b") == Recorded(events[2])
    assert replay.leftover() is None


def test_an_intent_without_an_outcome_is_open() -> None:
    events = journal((K.INTENT, "0:a"), (K.INTENT, "0:a"))
    assert answer(Replay(events), "0:a") == Open((events[1], events[2]))


def test_a_retry_answers_the_intents_before_it() -> None:
    events = journal((K.INTENT, "0:a"), (K.RETRY, "0:a"), (K.INTENT, "0:a"))
    replay = Replay(events)
    assert answer(replay, "0:a") == Open((events[3],), (events[2],))
    assert answer(Replay(events[:3]), "0:a") == New((events[2],))


def test_an_intent_that_was_lost_is_told_with_the_outcome_also_when_a_retry_came_between() -> None:
    events = journal((K.INTENT, "0:m"), (K.INTENT, "0:m"), (K.RETRY, "0:m"), (K.INTENT, "0:m"), (K.DONE, "0:m"))
    move = answer(Replay(events), "0:m")
    assert isinstance(move, Recorded)
    assert move.lost == (events[1],)  # the second was answered by the retry, the third by the outcome
    plain = answer(Replay(journal((K.INTENT, "0:m"), (K.INTENT, "0:m"), (K.DONE, "0:m"))), "0:m")
    assert isinstance(plain, Recorded) and len(plain.lost) == 1


@pytest.mark.parametrize("kind", [K.DONE, K.INTENT, K.RETRY])
@pytest.mark.parametrize(("path", "digest"), [("0:b", b""), ("0:a", b"other")])
def test_another_name_or_other_arguments_are_a_mismatch_whatever_is_recorded(
    kind: EventKind, path: str, digest: bytes
) -> None:
    move = answer(Replay(journal((kind, "0:a"))), path, digest)
    assert isinstance(move, Mismatch)
    assert move.blocked.path == path
    assert move.blocked.recorded.startswith("the effect 0:a")
    assert move.blocked.requested.startswith(f"the effect {path}")
    assert move.blocked.recorded != move.blocked.requested


def test_an_effect_where_a_scope_was_is_a_mismatch_and_the_other_way_round() -> None:
    inside = Replay(journal((K.DONE, "2/0:a"), (K.INTENT, "3.1/0/4:b")))
    for path in ("2:x", "3:x", "3.1/0:x"):
        assert isinstance(answer(inside, path), Mismatch)
    assert inside.enter("2", "part") is None
    blocked = Replay(journal((K.DONE, "0:a"))).enter("0", "part")
    assert blocked is not None and blocked.blocked.requested == "a scope (part)"
    assert Replay(journal((K.INTENT, "0:a"))).enter("0", "part") is not None


def test_places_with_several_digits_are_not_confused() -> None:
    events = journal((K.DONE, "1.0/0:a"), (K.DONE, "11.0/0:a"), (K.DONE, "1.00/0:a"))
    replay = Replay(events)
    replay.skip("1.")
    assert answer(replay, "11.0/0:a") == Recorded(events[2])
    assert replay.leftover() is None


@pytest.mark.parametrize("kind", [K.INTENT, K.RETRY])
def test_what_was_begun_and_is_not_asked_for_is_left_over_too(kind: EventKind) -> None:
    events = journal((kind, "0:a"))
    assert Replay(events).leftover() == events[1]


@pytest.mark.parametrize("kind", [K.DONE, K.INTENT, K.RETRY])
def test_a_change_is_old_where_the_journal_went_on_without_it(kind: EventKind) -> None:
    replay = Replay(journal((kind, "0:a")))
    assert replay.patched("change", "0") is False
    assert replay.patched("change", "7") is False  # once settled it stays
    assert Replay(journal()).patched("change", "0") is None
    assert Replay(journal((K.PATCHED, ":change"), (K.DONE, "0:a"))).patched("change", "0") is True


def failed(path: str | None, code: str = "step_failed", kind: str = "bug") -> ErrorRecord:
    return ErrorRecord(code, kind, "no", path)


def test_after_a_requeue_the_effect_that_ended_the_run_counts_as_not_done() -> None:
    error = failed("1:b")
    events = journal((K.DONE, "0:a"), (K.FAILED, "1:b", error), (K.RUN_FAILED, "", error), (K.REQUEUED, "", {}))
    replay = Replay(events)
    assert answer(replay, "0:a") == Recorded(events[1])
    assert answer(replay, "1:b") == New()


def test_a_failure_that_did_not_end_the_run_stays_recorded() -> None:
    events = journal(
        (K.FAILED, "0:a", failed("0:a")), (K.FAILED, "1:b", failed("1:b")), (K.RUN_FAILED, "", failed("1:b")),
        (K.REQUEUED, "", {}),
    )  # fmt: skip
    assert answer(Replay(events), "0:a") == Recorded(events[1])


def test_the_intent_of_an_unknown_outcome_stands_after_a_requeue() -> None:
    error = failed("0:charge", "unknown_outcome", "unknown_outcome")
    events = journal(
        (K.INTENT, "0:charge", {}), (K.FAILED, "0:charge", error), (K.RUN_FAILED, "", error), (K.REQUEUED, "", {})
    )
    assert answer(Replay(events), "0:charge") == Open((events[1],))
