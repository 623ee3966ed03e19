"""What an exception says about the upstream that was called."""

import asyncio

import pytest

from callboard.domain.errors import BreakerOpen, ModelFailed, RateLimited, ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.resilience.verdict import made, verdict

FAILED = ("timeout", "upstream_down", "overloaded", "malformed_result", "malformed_output")
ANSWERED = ("rate_limited", "quota", "authentication", "invalid_request", "context_too_long", "content_filtered",
            "upstream_rejected")  # fmt: skip


@pytest.mark.parametrize("kind", ErrorKind)
def test_of_failures_the_kind_decides(kind: ErrorKind) -> None:
    expected = True if kind in FAILED else False if kind in ANSWERED else None
    assert verdict(ToolFailed("no", kind=kind)) is expected
    assert verdict(ModelFailed("no", kind=kind)) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (asyncio.IncompleteReadError(b"", 8), True),
        (ValueError("of the caller's own"), None),
        (asyncio.CancelledError(), None),
        (KeyboardInterrupt(), None),
        (RateLimited("later"), None),
        (BreakerOpen("later"), None),
    ],
)
def test_of_other_exceptions_a_broken_connection_and_silence_count(error: BaseException, expected: bool | None) -> None:
    assert verdict(error) is expected


def test_a_refused_connection_counts_though_the_call_was_not_made() -> None:
    refused = ToolFailed("nobody listens", kind=ErrorKind.UPSTREAM_DOWN, detail={"made": False})
    assert not made(refused)
    assert verdict(refused) is True
    assert made(ToolFailed("no", kind=ErrorKind.UPSTREAM_DOWN))
