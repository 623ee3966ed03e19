"""Why a run did not succeed: what happened, where, and what was done about it, in words."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from callboard.apps.reading.effect import Effect, Sort, State
from callboard.domain.kinds import ErrorRecord
from callboard.domain.run import Run, RunStatus


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run ended badly, or cannot go on.

    Attributes:
        error: as its row says.
        effect: where it happened; None where it was in the flow's own code, or is further up in the journal.
        child: the run below it that failed first.
        sides: where journal and code disagree: what each has.
        done: what was done about it, a sentence each.
        next: what a person can do.
    """

    error: ErrorRecord
    effect: Effect | None
    child: str | None
    sides: tuple[str, str] | None
    done: tuple[str, ...]
    next: str


def cause(run: Run, found: Sequence[Effect]) -> Cause | None:
    """Why a run did not succeed; None while there is nothing to explain.

    `found` are the effects at its end; all of them where there are not too many.
    """
    if run.error is None:
        return None
    detail = run.error.detail or {}
    effect = next((each for each in reversed(found) if each.path == run.error.path), None)
    child = detail.get("run_id") if isinstance(detail.get("run_id"), str) else None
    sides = (str(detail["recorded"]), str(detail["requested"])) if {"recorded", "requested"} <= detail.keys() else None
    return Cause(
        error=run.error,
        effect=effect,
        child=child,
        sides=sides,
        done=tuple(_done(run, effect, found)),
        next=_NEXT.get(run.status, ""),
    )


_NEXT = {
    RunStatus.FAILED: "Requeue it to do the failed effect again; all that was recorded before is kept.",
    RunStatus.DEAD: "Look at the worker's log for what killed it, mend that, then requeue the run.",
    RunStatus.BLOCKED: "Deploy code that fits this journal (ctx.patched keeps old and new runs going), then requeue.",
}


def _done(run: Run, effect: Effect | None, found: Sequence[Effect]) -> list[str]:
    said: list[str] = []
    if effect is not None:
        said += _tries(effect)
    undone = [each for each in found if each.name.startswith("undo ") and (effect is None or each.seq > effect.seq)]
    if undone:
        good = sum(each.state is State.DONE for each in undone)
        said.append(f"{good} of {len(undone)} earlier effects were undone")
    handled = [each for each in found if effect is not None and each.seq > effect.last and each.sort is not Sort.SCOPE]
    if handled and not undone:
        said.append(f"the flow went on for {len(handled)} more effect{'s' if len(handled) > 1 else ''} before it ended")
    if run.deaths:
        said.append(f"{run.deaths} workers in a row died on it without progress")
    if not said:
        said.append("nothing was repeated, replaced or undone")
    return said


def _tries(effect: Effect) -> list[str]:
    made = [each for each in effect.attempts if each.error is not None]
    if len(made) < 2:
        return []
    took = (made[-1].ended or made[-1].began) - made[0].began
    said = [f"it was tried {len(made)} times over {took:.1f} s"]
    models = Counter(each.model for each in made if each.model)
    if len(models) > 1:
        said.append("asked in turn: " + ", ".join(f"{model} ({times}×)" for model, times in models.items()))
    kinds = Counter(each.error.kind for each in made if each.error is not None)
    if len(kinds) > 1:
        said.append("the failures were " + ", ".join(f"{kind} ({times}×)" for kind, times in kinds.items()))
    return said


def brief_of(effect: Effect) -> str:
    """What an effect was about, on one line: the words or calls of a model, a call's arguments, a failure's message."""
    if effect.error is not None:
        return effect.error.message
    if effect.sort is Sort.MODEL:
        return _spoken(effect.result)
    if effect.sort is Sort.TOOL and isinstance(effect.asked, dict):
        return ", ".join(f"{name}={_short(value)}" for name, value in effect.asked.items())
    if effect.state is State.RETRYING and effect.retries:
        error = effect.retries[-1].error
        return "" if error is None else error.message
    return "" if effect.result is None else _short(effect.result)


def _spoken(result: Any) -> str:
    message = result.get("message") if isinstance(result, dict) else None
    parts = message.get("parts") if isinstance(message, dict) else None
    said: list[str] = []
    for part in parts or ():
        if part.get("type") == "text":
            said.append(str(part.get("text", "")))
        elif part.get("type") == "call":
            said.append(f"→ {part.get('name')}")
    return " ".join(said)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:59]}…"
