"""What people do to a run from its page: cancel, signal, requeue, fork. Each goes back to a run's page and says so."""

from typing import TYPE_CHECKING

from callboard.apps.console import forms
from callboard.apps.console.rendering import HOME, redirect
from callboard.domain.errors import CallboardError, InputInvalid, StoreError
from callboard.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from fastapi import APIRouter

_SAID = 1_000  # characters of a reason


def routes(rt: Runtime) -> "APIRouter":
    """The deeds, each a POST."""
    from fastapi import APIRouter, Request, Response

    from callboard.apps.entrance import At, form

    made = APIRouter(prefix=f"{HOME}/runs/{{run_id}}")

    async def told(request: Request, run_id: str, deed: "Awaitable[str]") -> Response:
        """Does it, and goes back to the run with what came of it."""
        at = f"{HOME}/runs/{run_id}"
        try:
            said = await deed
        except StoreError:
            raise
        except CallboardError as error:
            return redirect(request, at, str(error), bad=True)
        return redirect(request, at, said)

    @made.post("/cancel")
    async def cancel(request: Request, desk: At, run_id: str) -> Response:
        async def deed() -> str:
            fields = await form(request)
            await desk.runs.cancel(run_id, forms.text(fields, "reason", needed=False, most=_SAID))
            return "The run was asked to end."

        await desk.runs.get(run_id)
        return await told(request, run_id, deed())

    @made.post("/signal")
    async def signal(request: Request, desk: At, run_id: str) -> Response:
        async def deed() -> str:
            fields = await form(request)
            name = forms.text(fields, "name", most=200)
            await desk.runs.signal(run_id, name, forms.json_value(fields, "value"))
            return f"Signal {name} was sent."

        await desk.runs.get(run_id)
        return await told(request, run_id, deed())

    @made.post("/requeue")
    async def requeue(request: Request, desk: At, run_id: str) -> Response:
        async def deed() -> str:
            fields = await form(request)
            await desk.runs.requeue(run_id, forms.text(fields, "reason", needed=False, most=_SAID))
            return "The run is ready again."

        await desk.runs.get(run_id)
        return await told(request, run_id, deed())

    @made.post("/fork")
    async def fork(request: Request, desk: At, run_id: str) -> Response:
        await desk.runs.get(run_id)
        try:
            at = _number(forms.text(await form(request), "at"))
            new = await desk.runs.fork(run_id, at)
        except StoreError:
            raise
        except CallboardError as error:
            return redirect(request, f"{HOME}/runs/{run_id}", str(error), bad=True)
        said = f"This run shares the history of {run_id} up to event {at} and goes on by itself."
        return redirect(request, f"{HOME}/runs/{new.id}", said)

    return made


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise InputInvalid(f"at={text[:40]!r} is no event's number", remedy="take a number from the run's events")
    return int(text)
