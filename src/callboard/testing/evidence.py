"""What a chaos leaves behind to be judged."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from callboard.agents.handling import Policy
from callboard.agents.surroundings import Surroundings
from callboard.domain.event import Event
from callboard.domain.kinds import ErrorRecord
from callboard.domain.run import RunStatus
from callboard.resilience.faults import Fault, Tally
from callboard.testing.traces import error_of
from callboard.tools import Tool


@dataclass(frozen=True, slots=True)
class Weathered:
    """How a run came through.

    Attributes:
        run_id: the run.
        status: where it stands: one that is WAITING waits for a person, a signal or longer than was wound.
        output: what it returned, as stored.
        error: why it did not succeed.
        questions: what people are asked, as `{"question", ...}`.
    """

    run_id: str
    status: RunStatus
    output: Any = None
    error: ErrorRecord | None = None
    questions: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Death:
    """A death of the worker: the number of the last strike before it, and how far the runs had come that were struck
    in this life, as the number of their last event."""

    strikes: int
    ends: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there is to be judged.

    Attributes:
        seed: of the rules' chances.
        tools: by name.
        policies: what tools declare to be done about their failures, by name.
        around: the runtime's gates, routes and budgets.
        tallies: the rules, with what they saw and struck.
        struck: all strikes.
        runs: the flow and how it came through, for each run that was started.
        journals: by run.
        opened: upstreams whose breaker was seen open.
        deaths: of the worker.
    """

    seed: int
    tools: Mapping[str, Tool]
    policies: Mapping[str, Policy]
    around: Surroundings
    tallies: tuple[Tally, ...]
    struck: tuple[Fault, ...]
    runs: tuple[tuple[str, Weathered], ...]
    journals: Mapping[str, list[Event]]
    opened: frozenset[str]
    deaths: tuple[Death, ...]

    @property
    def dead(self) -> frozenset[str]:
        """Runs that were given up because too many workers had died while they ran them."""
        return frozenset(found.run_id for _, found in self.runs if found.status is RunStatus.DEAD)

    def end(self, fault: Fault, run_id: str) -> int | None:
        """The last event of a run that the worker wrote which made the struck call; None if it did not die."""
        for death in self.deaths:
            if fault.number <= death.strikes:
                return death.ends.get(run_id)
        return None

    @property
    def errors(self) -> Iterator[ErrorRecord]:
        """All failures in all journals."""
        for events in self.journals.values():
            for event in events:
                if (error := error_of(event)) is not None:
                    yield error


def title(fault: Fault) -> str:
    """What reports call a strike."""
    return f"{fault.kind}{' (answer lost)' if fault.after else ''}"
