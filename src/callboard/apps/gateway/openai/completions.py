"""POST /v1/chat/completions: a conversation in, the answer of a flow or an agent out."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from callboard.apps.entrance import At
from callboard.apps.gateway.answering import WITH_BODY, answer
from callboard.apps.gateway.openai.bodies import Completion
from callboard.apps.gateway.openai.course import Ended, Said, follow
from callboard.apps.gateway.openai.opening import IdempotencyKey, gives_json, may_start, stream, wait
from callboard.apps.gateway.openai.refusals import OpenAIRoute, Refusal, of_run
from callboard.apps.gateway.openai.said import messages_of
from callboard.apps.gateway.openai.views import Finish, completion_usage
from callboard.apps.gateway.outlet import Outlet
from callboard.domain.chat import Chat
from callboard.domain.errors import NotFound
from callboard.domain.run import Run
from callboard.runtime import Desk, RunHandle

router = APIRouter(prefix="/v1", tags=["openai"], route_class=OpenAIRoute)

_PIECE = 2_048  # characters of a piece, of what is known already
_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter", None: "stop"}
_DONE = b"data: [DONE]\n\n"


@router.post(
    "/chat/completions",
    responses=gives_json("The completion, or its pieces as server-sent events.", streamed=True) | WITH_BODY,
    summary="Complete a chat",
    response_class=Response,
)
async def complete(request: Request, desk: At, body: Completion, key: IdempotencyKey = None) -> Response:
    """Starts a run of the flow or agent that `model` names, and answers with its output as OpenAI's API would."""
    body.check()
    chat = Chat(messages_of(body.messages, "messages"))
    await may_start(request, desk, body.model)
    handle = await start(request, desk, body.model, chat, key, body.labels())
    run = await desk.runs.get(handle.id)
    if body.stream:
        usage = body.stream_options is not None and body.stream_options.include_usage
        pieces = _Pieces(run, body.model, usage)
        live = speaks(request, body.model)
        return stream(request, desk, run.id, lambda outlet: _tell(handle, pieces, live, outlet))
    outcome = await wait(request, handle)
    if outcome is None:
        raise Refusal(504, "timeout", f"run {run.id} goes on, and has no answer yet; see /v1/runs/{run.id}", final=True)
    finish = Finish.of(outcome)
    if finish.status not in ("completed", "incomplete"):
        assert finish.error is not None
        raise of_run(run.id, finish.error)
    run = await desk.runs.get(run.id)
    message: dict[str, Any] = {"role": "assistant", "content": finish.text, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "finish_reason": _REASONS[finish.reason], "logprobs": None}
    return answer(
        _head(run, body.model, "chat.completion") | {"choices": [choice], "usage": completion_usage(run.usage)}
    )


async def start(
    request: Request, desk: Desk, model: str, chat: Chat, key: str | None, labels: dict[str, str]
) -> RunHandle:
    """Starts a run for a conversation that nobody keeps. Raises Refusal for a model that is not there."""
    try:
        return await desk.runs.start(
            model,
            msgspec.to_builtins(chat),
            key=key,
            labels=labels or None,
            trace=request.app.state.entrance.trace(request),
        )
    except NotFound:
        raise no_model(model) from None


def no_model(model: str) -> Refusal:
    """There is no such flow or agent."""
    said = f"the model {model!r} does not exist here; GET /v1/models lists the flows and agents that there are"
    return Refusal(404, "model_not_found", said, param="model")


def speaks(request: Request, model: str) -> bool:
    """Whether what the flow's model says is its output, so that words may be passed on while they are said."""
    flow = request.app.state.entrance.rt.services.find(model)
    return flow is not None and bool(flow.speaks)


class _Pieces:
    """One completion in pieces. What was sent cannot be taken back."""

    def __init__(self, run: Run, model: str, usage: bool) -> None:
        self._head = _head(run, model, "chat.completion.chunk")
        self._run_id = run.id
        self._usage = usage
        self._sent: list[str] = []

    def begin(self) -> bytes:
        """The first piece says who speaks."""
        return self._piece({"role": "assistant", "content": ""})

    def words(self, text: str) -> bytes:
        """More of the answer."""
        self._sent.append(text)
        return b"".join([self._piece({"content": text[at : at + _PIECE]}) for at in range(0, len(text), _PIECE)])

    def end(self, ended: Ended) -> bytes:
        """What is left of the answer, why it ends, and what it took."""
        finish = Finish.of(ended.outcome)
        if finish.status not in ("completed", "incomplete"):
            assert finish.error is not None
            return self._refused(of_run(self._run_id, finish.error))
        sent = "".join(self._sent)
        if not finish.text.startswith(sent):
            said = f"the model began anew after a part had been sent; the answer is that of run {self._run_id}"
            return self._refused(Refusal(500, "answer_changed", said))
        last = self.words(finish.text[len(sent) :]) + self._piece({}, _REASONS[finish.reason])
        if self._usage:
            last += _data(self._head | {"choices": [], "usage": completion_usage(ended.run.usage)})
        return last + _DONE

    def _piece(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return _data(self._head | {"choices": [choice]} | ({"usage": None} if self._usage else {}))

    def _refused(self, refusal: Refusal) -> bytes:
        return _data(refusal.body()) + _DONE


async def _tell(handle: RunHandle, pieces: _Pieces, live: bool, outlet: Outlet) -> None:
    await _put(outlet, pieces.begin())
    async for step in follow(handle, live=live):
        if isinstance(step, Said):
            await _put(outlet, pieces.words(step.text))
        elif isinstance(step, Ended):
            await _put(outlet, pieces.end(step))


async def _put(outlet: Outlet, said: bytes) -> None:
    if said:
        await outlet.room()
        outlet.add(said)


def _head(run: Run, model: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{run.id}", "object": kind, "created": int(run.created_at), "model": model}


def _data(value: Any) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"
