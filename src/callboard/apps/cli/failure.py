"""Errors as people meet them: what happened, why, what to do; and the exit code for programs."""

import os
import sys
import traceback

NOT_ALL_SUCCEEDED = 1
USAGE = 2
STORE = 3
INTERRUPTED = 130


def tell(error: Exception) -> int:
    """Prints an error to stderr, a line each for what, why and remedy, and returns the exit code for it."""
    from callboard.domain.errors import CallboardError, InputInvalid, StoreError

    if os.environ.get("CALLBOARD_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, CallboardError):
        _print(error.what, error.why, error.remedy)
    else:
        _print(
            f"{type(error).__name__}: {error}",
            "this is a defect, in Callboard or in a program that it called",
            "repeat with CALLBOARD_DEBUG=1 to see where",
        )
    if isinstance(error, StoreError):
        return STORE
    return USAGE if isinstance(error, InputInvalid) else NOT_ALL_SUCCEEDED


def _print(what: str, why: str, remedy: str) -> None:
    for label, text in (("error: ", what), ("  why: ", why), ("   do: ", remedy)):
        if text:
            print(label + " ".join(text.split()), file=sys.stderr)
