"""What a run gets as its input: the stored value, or the conversation to which it refers.

The history of a session is in no run's journal. It is put together when a run is executed, from what never changes: the
messages of the turns before it and the outputs of their runs. So a replay finds the same; where it does not, because a
run in between was purged, the effects do not fit their digests and the run is blocked.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from callboard.domain.chat import Chat, is_reference, reference_of, words_of
from callboard.domain.message import Message, assistant, system
from callboard.domain.run import Outcome, Run, RunStatus
from callboard.domain.suspension import Cancelled
from callboard.engine.flow import Flow
from callboard.store.sessions import Turn, TurnStatus
from callboard.store.store import Store
from callboard.store.turns import OVERTAKEN

INSTRUCTIONS, EARLIER = "instructions", "earlier"  # options of a turn that are part of what was said


async def intake(store: Store, run: Run, flow: Flow, stored: Any, *, begins: bool = False) -> Any:
    """The input as the flow's function gets it.

    With `begins`, the run executes nothing yet: what it sees is settled from now on, and a turn that another message
    has overtaken is not begun.

    Raises InputInvalid; NotFound for a conversation that there is not, Cancelled, StoreError.
    """
    if not is_reference(stored):
        return flow.take(stored)
    reference = reference_of(stored)
    path = await store.sessions.path(run.tenant, reference.turn)
    if begins:
        path[-1] = await _settled(store, path)
    silent = set(path[-1].silent)
    if path[-1].status is TurnStatus.PENDING:
        silent = set(await silent_turns(store, path))
    answers = await store.runs.outcomes(run.tenant, [turn.id for turn in path[:-1] if turn.id not in silent])
    return flow.take(Chat(tuple(_messages(path, answers)), reference.id))


async def silent_turns(store: Store, path: Sequence[Turn]) -> list[str]:
    """The turns before the last one that have no answer now."""
    before = [turn.id for turn in path[:-1]]
    if not before:
        return []
    outcomes = await store.runs.outcomes(path[-1].tenant, before)
    answered = {run_id for run_id, each in outcomes.items() if each.status is RunStatus.SUCCEEDED}
    return [turn_id for turn_id in before if turn_id not in answered]


async def _settled(store: Store, path: Sequence[Turn]) -> Turn:
    """The turn that begins. Whoever says first which turns are silent has said it for good: who started the run may
    not have come to it."""
    turn = path[-1]
    if turn.status is TurnStatus.PENDING:
        await store.sessions.started(turn.tenant, turn.id, await silent_turns(store, path))
        turn = await store.sessions.turn(turn.tenant, turn.id) or turn
    if turn.status is not TurnStatus.STARTED:
        raise Cancelled(OVERTAKEN)
    return turn


def _messages(path: Sequence[Turn], answers: dict[str, Outcome]) -> Iterator[Message]:
    last = path[-1]
    if instructions := last.options.get(INSTRUCTIONS):
        yield system(instructions)
    for turn in path:
        yield from msgspec.convert(turn.options.get(EARLIER, ()), tuple[Message, ...])
        yield msgspec.convert(turn.message, Message)
        if turn is not last and (answer := answers.get(turn.id)) is not None:
            yield assistant(words_of(answer.output))
