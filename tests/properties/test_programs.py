"""Random programs under random disturbances end as arithmetic says they must, and nothing on record is done again."""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from callboard.domain.event import OUTCOMES, EventKind
from callboard.domain.run import TRANSITIONS, RunStatus
from callboard.testing import WindingClock, runtime
from tests.properties.interpreter import WORLD, app
from tests.properties.programs import PROGRAMS, Program, effects, expected
from tests.properties.theatre import SETTINGS, Mortal, Play

_MEMORY = Path("/dev/shm")
Action = tuple[str, int]

stable = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],  # shrinking a play that hangs takes longer than a test may
)

_disturbance = st.one_of(
    st.tuples(st.just("wind"), st.integers(0, 600)),
    st.tuples(st.just("signal"), st.integers(0, 5)),
    st.tuples(st.just("kill"), st.integers(0, 12)),
    st.tuples(st.just("settle"), st.just(0)),
)
DISTURBANCES = st.lists(_disturbance, max_size=6)


def play(program: Program, actions: list[Action]) -> tuple[Any, Play]:
    """Plays the program to its end and checks what must hold whatever happens."""

    async def main() -> tuple[Any, Play]:
        WORLD.calls.clear()
        WORLD.life = 0
        mortal = Mortal()
        with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
            path = Path(folder, "store.db")
            async with runtime(app, path, clock=WindingClock(), settings=SETTINGS, fault=mortal) as test:
                played = Play(test, program, mortal, path)
                await played.begin()
                for action in actions:
                    await played.act(action)
                outcome = await played.finish()
                await _check_journals(played)
                _check_moves(played)
        _check_calls(played)
        return outcome, played

    return asyncio.run(main())


@settings(stable, max_examples=60)
@given(PROGRAMS)
def test_an_undisturbed_program_does_each_thing_once(program: Program) -> None:
    outcome, _ = play(program, [])
    assert outcome == expected(program)
    calls = Counter(call.effect for call in WORLD.calls)
    assert calls.keys() == effects(program).keys()
    assert all(count == 1 for effect, count in calls.items() if not effect.startswith("stumble"))


@settings(stable, max_examples=250)
@given(PROGRAMS, DISTURBANCES)
def test_a_disturbed_program_ends_as_if_nothing_had_been(program: Program, actions: list[Action]) -> None:
    outcome, _ = play(program, actions)
    assert outcome == expected(program)
    assert {call.effect for call in WORLD.calls} == set(effects(program))


@settings(stable, max_examples=120)
@given(PROGRAMS, DISTURBANCES, DISTURBANCES)
def test_a_cancelled_program_ends_and_does_nothing_more(
    program: Program, before: list[Action], after: list[Action]
) -> None:
    outcome, _ = play(program, [*before, ("cancel", 0), *after])
    assert outcome in (RunStatus.CANCELLED, expected(program))
    assert {call.effect for call in WORLD.calls} <= set(effects(program))


async def _check_journals(played: Play) -> None:
    """Seqs without a gap, one outcome for an effect, none open; what decides about branches comes after all of them."""
    for journal in await played.journals():
        assert [event.seq for event in journal] == list(range(len(journal)))
        outcomes = Counter(event.path for event in journal if event.kind in OUTCOMES)
        assert all(count == 1 for count in outcomes.values()), outcomes
        intents = {event.path for event in journal if event.kind is EventKind.INTENT}
        assert intents <= outcomes.keys(), intents - outcomes.keys()
        for event in journal:
            if event.kind in OUTCOMES:
                within = f"{event.path.partition(':')[0]}."
                assert not [e for e in journal[event.seq :] if e.path.startswith(within)], event.path


def _check_moves(played: Play) -> None:
    wrong = [(was, now) for was, now in played.moves() if now not in TRANSITIONS[was]]
    assert not wrong


def _check_calls(played: Play) -> None:
    """Nothing on record is done again; a `once` call happens once; a key is for one call."""
    keys: dict[str, set[str | None]] = {}
    for call in WORLD.calls:
        assert (call.key or call.effect) not in played.recorded[call.life], f"{call} was on record"
        keys.setdefault(call.effect, set()).add(call.key)
    assert all(len(found) == 1 for found in keys.values()), keys
    used = [key for found in keys.values() for key in found if key is not None]
    assert len(used) == len(set(used)), "two calls share a key"
    once = Counter(call.effect for call in WORLD.calls if call.effect.startswith("once"))
    assert all(count == 1 for count in once.values()), once
