"""Whether a run moves by itself, or rests until somebody outside does something."""

from callboard.domain.errors import NotFound
from callboard.domain.run import Run, RunStatus
from callboard.runtime import ApprovalStatus, Runtime


async def rests(rt: Runtime, run: Run) -> bool:
    """True when nothing happens to the run unless a person, a signal or a deployment comes.

    A run rests if it is blocked, if it waits for a person, if it waits for neither a time nor a child that
    moves, or if no flow here has its version.
    """
    match run.status:
        case RunStatus.BLOCKED:
            return True
        case RunStatus.READY:
            return f"{run.flow}@{run.version}" not in rt.services.flows
        case RunStatus.WAITING:
            return await _waits_for_outside(rt, run) and await _unchanged(rt, run)
        case _:
            return False


async def _waits_for_outside(rt: Runtime, run: Run) -> bool:
    if await rt.store.approvals.find(run.tenant, status=ApprovalStatus.OPEN, run_id=run.id, limit=1):
        return True
    return run.wake_at is None and not await _has_moving_child(rt, run)


async def _has_moving_child(rt: Runtime, run: Run) -> bool:
    before: str | None = None
    while True:
        children = await rt.store.runs.find(run.tenant, parent=run.id, before=before)
        for child in children:
            if not child.status.ended and not await rests(rt, child):
                return True
        if not children:
            return False
        before = children[-1].id


async def _unchanged(rt: Runtime, run: Run) -> bool:
    """True when the run still waits as it did: its children were read after its row, and may have woken it."""
    try:
        now = await rt.store.runs.get(run.tenant, run.id)
    except NotFound:
        return False
    return now.status is run.status and now.epoch == run.epoch
