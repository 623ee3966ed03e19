"""Each kind of error belongs to exactly one class, and each class has something in it."""

from callboard.domain.error_classes import CLASSES, ErrorClass, class_of
from callboard.domain.kinds import ErrorKind


def test_every_kind_has_its_class_and_every_class_a_kind() -> None:
    assert set(CLASSES) == set(ErrorKind)
    assert set(CLASSES.values()) == set(ErrorClass)
    assert [str(each) for each in ErrorClass] == [
        "invalid_arguments", "invented_tool", "wrong_tool", "context_truncated", "upstream_rejected", "upstream_down",
        "malformed_output", "budget", "guardrail", "loop", "timeout", "unknown_outcome", "bug",
    ]  # fmt: skip


def test_a_kind_that_nobody_knows_is_a_bug() -> None:
    assert class_of("rate_limited") is ErrorClass.UPSTREAM_DOWN
    assert class_of("of an older version") is ErrorClass.BUG
