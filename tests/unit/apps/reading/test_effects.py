"""Journals, read back: effects with their attempts, how they nest, and why a run failed."""

from typing import Any

from callboard.apps.reading.cause import brief_of, cause
from callboard.apps.reading.effect import Sort, State
from callboard.apps.reading.effects import effects
from callboard.apps.reading.tree import rows, tree
from callboard.domain.codec import encode
from callboard.domain.event import Event, EventKind
from callboard.domain.kinds import ErrorRecord
from callboard.domain.run import Run, RunStatus
from callboard.domain.usage import Usage

K = EventKind


def journal(*told: tuple[float, EventKind, str, Any]) -> list[Event]:
    """Events of (seconds, kind, path, body)."""
    return [
        Event(seq, kind, path, b"", round(at * 1e6), 0, b"" if body is None else encode(body))
        for seq, (at, kind, path, body) in enumerate(told)
    ]


def asked(model: str, attempt: int = 1) -> dict[str, Any]:
    return {"attempt": attempt, "reserved": [100, 10, 500, 0, 0, 0], "note": {"agent": "clerk", "model": model}}


def failed(kind: str, model: str = "") -> dict[str, Any]:
    return {"code": "model_failed", "kind": kind, "message": f"{model} is down", "detail": {"model": model}}


def answer(*calls: tuple[str, dict[str, Any]], usage: tuple[int, ...] = (50, 5, 200)) -> dict[str, Any]:
    parts = [{"type": "call", "id": str(n), "name": name, "arguments": args} for n, (name, args) in enumerate(calls)]
    message = {"role": "assistant", "parts": parts or [{"type": "text", "text": "done"}]}
    return {"result": {"type": "response", "message": message, "usage": usage, "model": "b"}}


TURN = journal(
    (0.0, K.STARTED, "", {"wish": 1}),
    (0.0, K.INTENT, "0/0:timeout", {"due": 60.0}),
    (1.0, K.INTENT, "0/0.0/0:model", asked("a")),
    (
        2.0,
        K.RETRY,
        "0/0.0/0:model",
        {"attempt": 1, "due": 3.0, "error": failed("overloaded", "a"), "spent": [0, 0, 70]},
    ),
    (3.0, K.INTENT, "0/0.0/0:model", asked("b", 2)),
    (5.0, K.DONE, "0/0.0/0:model", answer(("look", {"id": 1}), ("pay", {"cents": 5}))),
    (5.5, K.DONE, "0/0.0/1.0/0:look", {"result": "found"}),
    (6.0, K.INTENT, "0/0.0/1.1/0:pay", {"attempt": 1, "key": "k", "asked": {"cents": 5}}),
    (7.0, K.FAILED, "0/0.0/1.1/0:pay", {"code": "tool_failed", "kind": "upstream_rejected", "message": "no money"}),
    (8.0, K.DONE, "0/0:timeout", {"result": None}),
    (8.5, K.DONE, "1:tidy", {"result": {"left": 0}}),
    (9.0, K.INTENT, "2:wait van", {"signal": "van", "due": 99.0}),
)


def test_an_effect_is_put_together_from_its_events() -> None:
    found = {each.path: each for each in effects(TURN)}
    model, look, pay = found["0/0.0/0:model"], found["0/0.0/1.0/0:look"], found["0/0.0/1.1/0:pay"]
    assert (model.sort, model.state, model.seq, model.last) == (Sort.MODEL, State.DONE, 2, 5)
    assert [(each.model, each.began, each.ended) for each in model.attempts] == [("a", 1.0, 2.0), ("b", 3.0, 5.0)]
    assert model.usage == Usage(50, 5, 270) and model.reserved == Usage(100, 10, 500)  # the failed attempt included
    assert len(model.retries) == 1 and model.retries[0].due == 3.0
    assert (look.sort, look.asked) == (Sort.TOOL, {"id": 1})  # a read: only the model's answer has its arguments
    assert (pay.sort, pay.key, pay.state) == (Sort.TOOL, "k", State.FAILED) and pay.asked == {"cents": 5}
    assert pay.error is not None and brief_of(pay) == "no money"
    assert brief_of(model) == "→ look → pay" and brief_of(look) == "id=1"
    assert found["1:tidy"].sort is Sort.STEP
    wait = found["2:wait van"]
    assert (wait.sort, wait.state, wait.ended, wait.due) == (Sort.WAIT, State.OPEN, None, 99.0)


def test_what_was_taken_up_again_is_open_again() -> None:
    events = journal(
        (0.0, K.INTENT, "0:pay", {"attempt": 1, "key": "k"}),
        (1.0, K.FAILED, "0:pay", {"code": "tool_failed", "kind": "bug", "message": "x"}),
        (2.0, K.REQUEUED, "", "again"),
        (3.0, K.INTENT, "0:pay", {"attempt": 1, "key": "k"}),
        (4.0, K.INTENT, "0:pay", {"attempt": 2, "key": "k"}),
    )
    (pay,) = effects(events)
    assert (pay.state, pay.error, pay.ended) == (State.OPEN, None, None)
    assert [each.error is not None for each in pay.attempts] == [True, False, False]
    (done,) = effects([*events, *journal((5.0, K.CANCELLED, "0:pay", "enough"))])
    assert done.state is State.CANCELLED and done.error is not None and done.error.message == "enough"


def test_effects_nest_by_scope_and_an_agents_scope_bears_its_name() -> None:
    shown = [(node.depth, node.name) for node in rows(tree(effects(TURN)))]
    assert shown == [
        (0, "clerk"),
        (1, "model"),
        (1, "2 in parallel"),
        (2, "look"),
        (2, "pay"),
        (0, "tidy"),
        (0, "wait van"),
    ]
    agent = tree(effects(TURN))[0]
    assert (agent.began, agent.ended, agent.usage.cost, agent.failed) == (1.0, 7.0, 270, True)


def test_a_time_limit_is_shown_only_where_it_was_reached() -> None:
    late = {"code": "timed_out", "kind": "timeout", "message": "too late"}
    events = journal(
        (0.0, K.INTENT, "0:timeout", {"due": 1.0}),
        (1.0, K.CANCELLED, "0.0/0:slow", None),
        (1.0, K.FAILED, "0:timeout", late),
    )
    assert [node.name for node in rows(tree(effects(events)))] == ["timeout", "slow"]


def test_a_cause_says_what_where_and_what_was_done() -> None:
    both = journal(
        (0.0, K.INTENT, "0:model", asked("a")),
        (1.0, K.RETRY, "0:model", {"attempt": 1, "due": 1.5, "error": failed("overloaded", "a")}),
        (1.5, K.INTENT, "0:model", asked("b", 2)),
        (2.5, K.FAILED, "0:model", failed("upstream_down", "b")),
        (3.0, K.DONE, "1:undo pay", {"result": None}),
    )
    error = ErrorRecord("model_failed", "upstream_down", "b is down", "0:model")
    run = Run(id="r", tenant="t", flow="f", version="1", status=RunStatus.FAILED, error=error)
    found = cause(run, effects(both))
    assert found is not None and found.effect is not None and found.effect.path == "0:model"
    assert found.done == (
        "it was tried 2 times over 2.5 s",
        "asked in turn: a (1×), b (1×)",
        "the failures were overloaded (1×), upstream_down (1×)",
        "1 of 1 earlier effects were undone",
    )
    sides = ErrorRecord("version_mismatch", "version", "m", "0:x", {"recorded": "a step", "requested": "a tool"})
    blocked = cause(Run(id="r", tenant="t", flow="f", version="1", status=RunStatus.BLOCKED, error=sides), [])
    assert blocked is not None and blocked.sides == ("a step", "a tool") and blocked.effect is None
    assert cause(Run(id="r", tenant="t", flow="f", version="1", status=RunStatus.RUNNING), []) is None
