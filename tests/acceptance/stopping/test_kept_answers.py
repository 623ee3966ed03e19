from collections import Counter
from typing import Any

import callboard as cb
from callboard.domain.message import assistant
from callboard.domain.usage import Usage
from callboard.models import FinishReason, ModelRequest, ModelResponse
from callboard.testing import runtime


class Asked:
    """A model that counts what it is asked; an answer costs 100 micro-dollars."""

    def __init__(self, finish: FinishReason = FinishReason.STOP) -> None:
        self.questions: Counter[str] = Counter()
        self.finish = finish

    def __call__(self, request: ModelRequest) -> ModelResponse:
        question = request.messages[-1].text
        self.questions[question] += 1
        return ModelResponse(assistant(f"answer to {question}"), Usage(10, 5, 100), self.finish)


def app_of(asked: Asked, **role: Any) -> tuple[cb.App, cb.Agent]:
    app = cb.App("kept")
    options: dict[str, Any] = {"cache": cb.Cache(age=600), **role}
    return app, app.agent("clerk", model=cb.ScriptedModel(asked), **options)


async def test_the_same_question_is_answered_once_and_is_free_afterwards() -> None:
    asked = Asked()
    app, clerk = app_of(asked)
    async with runtime(app) as test:
        runs = [await test.start(clerk, "who?") for _ in range(1)]
        assert await runs[0].result() == "answer to who?"
        again = await test.start(clerk, "who?")
        assert await again.result() == "answer to who?"
        assert asked.questions == {"who?": 1}
        assert [(await test.rt.store.runs.get("default", r.id)).usage.cost for r in (*runs, again)] == [100, 0]
        (answer,) = [e for e in await test.rt.store.journal.read("default", again.id) if e.path.endswith(":model")]
        result = answer.value()["result"]
        assert result["cached"] is True
        assert result["saved"][2] == 100


async def test_nothing_is_kept_unless_the_agent_asks_for_it() -> None:
    asked = Asked()
    app, clerk = app_of(asked, cache=None)
    async with runtime(app) as test:
        for _ in range(2):
            await test.run(clerk, "who?")
    assert asked.questions == {"who?": 2}


async def test_tenants_releases_and_questions_never_share() -> None:
    asked = Asked()
    app, clerk = app_of(asked)
    other = app.agent("other", model=cb.ScriptedModel(asked), prompt="You are another.", cache=cb.Cache())
    async with runtime(app) as test:
        await test.run(clerk, "who?")
        await test.run(clerk, "who?", tenant="acme")
        await test.run(other, "who?")
        await test.run(clerk, "who then?")
    assert asked.questions == {"who?": 3, "who then?": 1}


async def test_an_old_answer_is_not_given_again() -> None:
    asked = Asked()
    app, clerk = app_of(asked)
    async with runtime(app) as test:
        await test.run(clerk, "who?")
        await test.wind(599)
        await test.run(clerk, "who?")
        assert asked.questions == {"who?": 1}
        await test.wind(2)
        await test.run(clerk, "who?")
    assert asked.questions == {"who?": 2}


async def test_what_is_no_whole_answer_is_not_kept() -> None:
    asked = Asked(FinishReason.REFUSAL)
    app, clerk = app_of(asked)
    async with runtime(app) as test:
        for _ in range(2):
            run = await test.start(clerk, "who?")
            await test.settle()
            assert (await test.rt.store.runs.get("default", run.id)).status == "failed"
    assert asked.questions == {"who?": 2}
