"""Compacts a conversation: a model summarises its older part, in a call that is journaled like any other."""

from collections.abc import Sequence

from callboard.agents.asking import ModelCall, Question
from callboard.agents.compaction import Compaction, cut, marked, portions, told
from callboard.agents.talk import Talk
from callboard.domain.codec import digest
from callboard.domain.errors import LimitReached, ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Message, system, user
from callboard.engine.context import Context
from callboard.models import FinishReason

_HALVINGS = 4  # how often what is to be summarised is read in smaller portions, when these are too long as well
_SMALLEST = 400  # bytes of a portion


async def compact(ctx: Context, talk: Talk) -> bool:
    """Puts a summary in the place of the older part of the conversation, if the agent declares that.

    Returns False when nothing could be taken out: the last turns alone, or the first message, are too long, or it was
    done as often as it may be. Raises ModelFailed, LimitReached as a model call does.
    """
    rules, conversation = talk.role.compaction, talk.conversation
    if rules is None or talk.compactions >= rules.times:
        return False
    head, messages = conversation.head, conversation.messages
    until = head
    while True:
        keep = max(1, rules.keep >> talk.squeezed)
        until = cut(messages, head, keep)
        talk.squeezed += 1
        # A lone summary is not summarised again: that makes nothing shorter.
        if until - head > 1 or keep == 1:
            break
    if until - head <= (1 if talk.compactions else 0):
        return False
    talk.compactions += 1
    summary = await _summary(ctx, talk, rules, messages[head:until])
    conversation.compact(until, marked(summary))
    return True


async def _summary(ctx: Context, talk: Talk, rules: Compaction, messages: Sequence[Message]) -> str:
    """A summary of the messages: read whole, or in as many portions as it takes, each with the summary so far.

    What decides how it is read is in the journal, never in a configuration: a replay must make the same calls.
    """
    rest = told(messages)
    size = sum(len(text.encode("utf-8", "surrogatepass")) + 2 for text in rest)
    rest = portions(rest, size)
    summary, halvings = "", 0
    while rest:
        if reason := talk.meter.before_model():
            raise await talk.limit(ctx, reason)
        try:
            summary = await _shortened(ctx, talk, rules, summary, rest)
        except ModelFailed as failure:
            size //= 2
            if failure.kind is not ErrorKind.CONTEXT_TOO_LONG or halvings == _HALVINGS or size < _SMALLEST:
                raise
            halvings += 1
            rest = portions(rest, size)
            continue
        rest = rest[1:]
    return summary


async def _shortened(ctx: Context, talk: Talk, rules: Compaction, summary: str, rest: Sequence[str]) -> str:
    """The summary so far, and the next portion, as one summary."""
    role = talk.role
    so_far = f"The summary of what came before:\n{summary}\n\nWhat came then:\n" if summary else ""
    messages = [system(rules.instruction), user(so_far + rest[0])]
    own = rules.model is None and rules.route is None
    call = ModelCall(
        ctx,
        talk,
        lambda: Question(
            messages=messages,
            size=sum(len(each.text.encode("utf-8", "surrogatepass")) for each in messages),
            most=rules.tokens,
            turn=talk.conversation.assistant_turns,
        ),
        role.model if own else rules.model,
        role.route if own else rules.route,
    )
    asked = digest(talk.conversation.digest.hex(), summary, len(rest), rest[0])
    try:
        outcome = await call.make("compact", asked)
    except LimitReached as limit:
        raise talk.stopped(limit) from None
    response, path = outcome.value, outcome.path
    text: str = response.message.text
    if response.finish is not FinishReason.STOP or not text.strip():
        raise ModelFailed(
            f"the conversation could not be summarised: the answer ended with {response.finish}",
            kind=ErrorKind.MALFORMED_OUTPUT,
            path=path,
            remedy=f"allow more than {rules.tokens:,} tokens (compact=Compaction(tokens=...)), or another model",
        )
    return text
