"""The support desk: an agent handles one customer's wish with the shop's tools.

The configuration names the scripted model, which plays each task's known calls, one a turn, through the whole
machinery; what it answers depends on the conversation alone, as a resumed run needs it.
"""

import asyncio
import json
import os

from pydantic import BaseModel, ConfigDict

from callboard import Context, Limits, ScriptedModel
from callboard.models import ModelRequest, Reply, call
from examples.retail.shop import data_folder
from examples.retail.tools import TOOLS, Counter, app


class Action(BaseModel):
    """One call that a task asks for. `answer`, where a line has it, is for scoring and never used."""

    model_config = ConfigDict(extra="forbid")
    name: str
    arguments: dict[str, object]
    answer: str | None = None


class Task(BaseModel):
    """One line of a task file. `final_hash` and `outputs`, where a line has them, are for scoring and never used."""

    model_config = ConfigDict(extra="forbid")
    id: str
    user_id: str
    instruction: str
    actions: list[Action]
    final_hash: str | None = None
    outputs: list[str] = []
    key: str | None = None


class Resolution(BaseModel):
    """What was done: the tools' answers in order, and the hash of the shop's database afterwards."""

    task_id: str
    answers: list[str]
    final_hash: str


def play(request: ModelRequest) -> Reply:
    """The scripted model: the plan in the first message, one call a turn, then a closing word."""
    wish = json.loads(next(m for m in request.messages if m.role == "user").text)
    plan = wish["plan"]
    if request.turn < len(plan):
        step = plan[request.turn]
        return call(step["name"], **step["arguments"])
    return "All done. Is there anything else?"


_LATENCY = float(os.environ.get("CALLBOARD_RETAIL_LATENCY", "0"))
app.model("scripted", ScriptedModel(play, latency=_LATENCY, price=(1_000_000, 4_000_000)))

clerk = app.agent(
    "clerk",
    route="smart",  # callboard.toml says which model that is
    prompt=(data_folder() / "policy.md").read_text(encoding="utf-8"),
    tools=TOOLS,
    max_output_tokens=1_000,  # what is reserved for each call, and charged for one whose worker died
    limits=Limits(turns=40, tool_calls=40, usd="1.00"),
)


@app.flow
async def handle(ctx: Context, task: Task) -> Resolution:
    """Handles one task."""
    # Only what is to be done goes to the agent: what a task file knows of the outcome stays out.
    plan = [{"name": action.name, "arguments": action.arguments} for action in task.actions]
    transcript = await clerk.converse(ctx, {"customer": task.user_id, "wish": task.instruction, "plan": plan})
    answers = [str(result.content) for result in transcript.tool_results]
    return Resolution(task_id=task.id, answers=answers, final_hash=await ctx.step(final_hash, ctx.run_id))


async def final_hash(run_id: str) -> str:
    """The hash of the shop's database as this run left it."""
    return await asyncio.to_thread(Counter.shop.final_hash, run_id)
