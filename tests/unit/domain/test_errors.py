"""The page of errors draws them all, each has its own code, and a recorded failure comes back as it was."""

import gc
import re
from collections.abc import Iterator
from typing import TypeVar

import pytest

from callboard.domain import errors
from callboard.domain.errors import (
    CallboardError,
    Failure,
    LimitReached,
    NotFound,
    RunCancelled,
    RunFailed,
    TimedOut,
    ToolFailed,
    failure_from,
)
from callboard.domain.kinds import ErrorKind, ErrorRecord
from callboard.domain.suspension import Cancelled, Parked

E = TypeVar("E", bound=CallboardError)
OURS = (errors.__name__, "callboard.domain.error", "callboard.domain.failures")


def below(cls: type[E]) -> Iterator[type[E]]:
    """A class and all classes that derive from it on this page."""
    yield cls
    for child in cls.__subclasses__():
        if child.__module__ in OURS:
            yield from below(child)


ERRORS = list(below(CallboardError))
FAILURES = list(below(Failure))


def drawn() -> dict[str, tuple[int, str]]:
    """The tree in the docstring: how deep each class stands, and its code."""
    lines = re.findall(r"^ {4}([│├└─ ]*)([A-Z]\w+) +(\w+)(?= |$)", errors.__doc__ or "", re.MULTILINE)
    return {name: (len(branch) // 4, code) for branch, name, code in lines}


def test_the_drawing_shows_every_error_with_its_code() -> None:
    assert {name: code for name, (_, code) in drawn().items()} == {cls.__name__: cls.code for cls in ERRORS}


def test_the_drawing_shows_what_derives_from_what() -> None:
    assert {name: depth for name, (depth, _) in drawn().items()} == {
        cls.__name__: cls.__mro__.index(CallboardError) for cls in ERRORS
    }


def test_each_code_belongs_to_one_error() -> None:
    codes = [cls.code for cls in ERRORS]
    assert len(set(codes)) == len(codes)
    assert all("code" in vars(cls) for cls in ERRORS)


def test_an_error_says_what_why_and_what_to_do() -> None:
    assert str(NotFound("no run 'x'", why="never was", remedy="list them")) == "no run 'x'; never was; list them"
    assert str(NotFound("no run 'x'")) == "no run 'x'"


@pytest.mark.parametrize("cls", FAILURES)
def test_a_recorded_failure_is_raised_again_as_it_was(cls: type[Failure]) -> None:
    first = cls("it broke", why="no luck", path="3/1:pay", detail={"n": [1, 2]}, kind=ErrorKind.RATE_LIMITED)
    again = failure_from(first.record())
    assert type(again) is cls
    assert again.record() == first.record()
    assert str(again) == str(first) == "it broke; no luck"
    assert isinstance(again, Failure)
    assert (again.path, again.detail, again.kind) == ("3/1:pay", {"n": [1, 2]}, ErrorKind.RATE_LIMITED)


@pytest.mark.parametrize("cls", FAILURES)
def test_a_failure_keeps_its_own_kind_and_needs_no_detail(cls: type[Failure]) -> None:
    first = cls("it broke")
    again = failure_from(first.record())
    assert (again.record(), again.kind) == (first.record(), cls.kind)
    assert first.record().detail is None


def test_a_record_of_an_unknown_code_or_kind_is_a_plain_failure() -> None:
    again = failure_from(ErrorRecord("of_the_future", "of the future", "it broke", "1:a"))
    assert type(again) is Failure
    assert (again.kind, again.path, str(again)) == (ErrorKind.BUG, "1:a", "it broke")


def test_a_record_of_an_error_that_is_no_failure_keeps_its_class() -> None:
    assert type(failure_from(NotFound("gone").record())) is NotFound


def test_a_subclass_of_a_user_does_not_take_the_place_of_the_class_that_it_extends() -> None:
    record = ToolFailed("it broke").record()

    class BankFailed(ToolFailed):
        def __init__(self, bank: str) -> None:
            super().__init__(f"{bank} broke")

    try:
        assert type(failure_from(record)) is ToolFailed
    finally:
        del BankFailed
        gc.collect()


def test_a_limit_says_which_and_what_there_was_by_then() -> None:
    error = LimitReached("too many turns", detail={"reason": "turns", "partial": {"text": "so far"}})
    assert (error.reason, error.partial) == ("turns", {"text": "so far"})
    assert (LimitReached("x").reason, LimitReached("x").partial) == ("", {})


def test_a_failed_run_carries_the_typed_error_that_ended_it() -> None:
    error = RunFailed("run-1", "failed", TimedOut("too slow", path="1:a").record())
    assert isinstance(error.error, TimedOut)
    assert (error.run_id, error.status, error.kind) == ("run-1", "failed", ErrorKind.TIMEOUT)
    assert "too slow" in str(error)
    assert "callboard runs show run-1" in str(error)


def test_a_cancelled_run_says_why() -> None:
    assert str(RunCancelled("run-1", "no longer wanted")) == "run run-1 was cancelled; no longer wanted"


@pytest.mark.parametrize("signal", [Parked(), Cancelled()])
def test_what_unwinds_a_flow_is_not_caught_as_an_error(signal: BaseException) -> None:
    assert not isinstance(signal, Exception)
