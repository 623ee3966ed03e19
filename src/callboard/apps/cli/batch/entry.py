"""What is known of one line while the command works: enough to write its output line at the end."""

from dataclasses import dataclass

from callboard.apps.cli.batch.lines import Line
from callboard.domain.errors import CallboardError, InputInvalid
from callboard.domain.kinds import ErrorRecord


@dataclass(slots=True)
class Entry:
    """A line's key, and its run or why it has none. Without both it was not started this time."""

    key: str | None
    run_id: str | None = None
    error: ErrorRecord | None = None


def refusal(line: Line, error: CallboardError) -> ErrorRecord:
    """Why a line cannot have a run; it names the line."""
    code = InputInvalid.code if isinstance(error, InputInvalid) else error.code
    return ErrorRecord(code, error.kind, f"line {line.number}: {error}")
