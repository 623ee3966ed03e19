"""The whole API against its own description: whatever is sent, the answer is one that the description promises."""

import asyncio
import os
import time
from collections import Counter
from random import Random
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.acceptance.gateway.house import House, house

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_PATIENCE = 0.25  # seconds for an answer: streams and waits go on for longer, which says nothing about their form
_MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
_FLOWS = ("hello", "steps", "gate", "asks", "breaks", "talker")
_INPUTS = {"hello": "Mia", "steps": 3, "gate": "go", "asks": 700, "breaks": None, "talker": "go on"}
_ROOT = str(os.path.realpath(os.path.join(os.path.dirname(__file__), "../../..")))


class Explorer:
    """Sends what is generated, now and then about things that are there, and looks at each answer.

    Attributes:
        statuses: how often each was answered.
        failures: what was wrong, by operation, the first of each kind.
    """

    def __init__(self, here: House, description: dict[str, Any], things: dict[str, list[str]]) -> None:
        self.schema = schemathesis.openapi.from_dict(description)
        self._operations: list[Any] = [
            found.ok() for found in self.schema.get_all_operations() if isinstance(found, Ok)
        ]
        self.statuses: Counter[int] = Counter()
        self.failures: dict[str, str] = {}
        self._url = here.url
        self._things = things
        self._asking = requests.Session()
        self._key = here.key
        self._dice = Random(7)

    def explore(self, examples: int, seconds: float = 0.0) -> None:
        """So many of each operation and kind; once more, with others, until so many seconds are over."""
        begun = time.monotonic()
        self._round(examples)
        while time.monotonic() - begun < seconds:
            self._round(examples)

    def borders(self) -> None:
        """Values at and beyond the borders of each field, one at a time."""
        for operation in self._operations:
            config = self.schema.config.generation_for(operation=operation)
            for case in self.schema.iter_coverage_cases(
                operation, generation_modes=list(_MODES), generation_config=config
            ):
                self.send(case)

    def send(self, case: Any) -> None:
        """One case."""
        self._point(case)
        try:
            answer = case.call(
                base_url=self._url,
                session=self._asking,
                headers={"Authorization": f"Bearer {self._key}"},
                timeout=_PATIENCE,
            )
        except (requests.Timeout, requests.ConnectionError) as error:
            if "timed out" not in str(error):
                self._note(case, f"no answer: {error!r}")
            return
        self.statuses[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=_CHECKS)
        except FailureGroup as group:
            for each in group.exceptions:
                self._note(case, f"{type(each).__name__}: {each}")
        for word in ("Traceback", _ROOT, self._key.split("_")[2]):
            if word in answer.text:
                self._note(case, f"it tells {word!r}: {answer.text[:300]}")

    def _round(self, examples: int) -> None:
        for operation in self._operations:
            for mode in _MODES:

                @seed(self._dice.randrange(1 << 30))
                @settings(
                    max_examples=examples,
                    database=None,
                    deadline=None,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                    verbosity=Verbosity.quiet,
                )
                @given(case=operation.as_strategy(generation_mode=mode))
                def one(case: Any) -> None:
                    self.send(case)

                one()

    def _point(self, case: Any) -> None:
        """Lets every other case be about something that is there."""
        for name, found in self._things.items():
            if name in (case.path_parameters or {}) and self._dice.random() < 0.6:
                case.path_parameters[name] = self._dice.choice(found)
        body = case.body
        if isinstance(body, dict) and self._dice.random() < 0.6:
            for name in ("flow", "model"):
                if name in body:
                    body[name] = self._dice.choice(_FLOWS)
            if "input" in body and body.get("flow") in _INPUTS:
                body["input"] = _INPUTS[body["flow"]]

    def _note(self, case: Any, what: str) -> None:
        said = "\n".join(line for line in what.splitlines() if line.strip())[:700]
        self.failures.setdefault(
            f"{case.operation.label} {said.splitlines()[0][:80]}", f"{said}\n  {case.as_curl_command()[:900]}"
        )


async def _things(here: House) -> dict[str, list[str]]:
    """One of each thing that a path can name."""
    asking = here.asking
    runs = [await here.start(flow, value) for flow, value in _INPUTS.items()]
    for run_id in (runs[0], runs[4]):
        await here.ended(run_id)
    session = (await asking.post("/v1/sessions", json={"flow": "talker"})).json()["id"]
    turn = (await asking.post(f"/v1/sessions/{session}/messages", json={"text": "hello"})).json()["id"]
    made = (await asking.post("/v1/keys", json={"name": "reader", "grants": [{"role": "viewer"}]})).json()
    person = {"login": "mia", "name": "Mia", "password": "a long enough password", "grants": [{"role": "viewer"}]}
    assert (await asking.post("/v1/people", json=person)).status_code == 201
    questions: list[dict[str, Any]] = []
    while not questions:
        questions = (await asking.get("/v1/approvals")).json()["items"]
    return {
        "run_id": runs,
        "session_id": [session],
        "response_id": [f"resp_{turn}"],
        "conversation_id": [f"conv_{session}"],
        "key_id": [made["key"]["id"]],
        "login": ["mia"],
        "approval_id": [each["id"] for each in questions],
        "name": list(_FLOWS),
        "model": list(_FLOWS),
    }


async def _explored(examples: int, seconds: float = 0.0, *, borders: bool = False) -> Explorer:
    async with house() as here:
        description = (await here.asking.get("/openapi.json")).json()
        explorer = Explorer(here, description, await _things(here))
        await asyncio.to_thread(explorer.explore, examples, seconds)
        if borders:
            await asyncio.to_thread(explorer.borders)
    assert not explorer.failures, "\n\n".join(f"{name}\n{said}" for name, said in explorer.failures.items())
    return explorer


async def test_what_is_answered_is_what_is_described() -> None:
    explorer = await _explored(2)
    assert {200, 201, 404, 422} <= explorer.statuses.keys()


@pytest.mark.soak
@pytest.mark.timeout(3_600)
async def test_what_is_answered_is_what_is_described_whatever_is_sent() -> None:
    explorer = await _explored(20, float(os.environ.get("SECONDS", "300")), borders=True)
    print(sorted(explorer.statuses.items()))
