"""The gateway's page: its commands run, its routes exist, and nothing that exists is missing."""

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest

from callboard.apps.entrance.problems import INTERNAL, STATUSES
from callboard.apps.gateway.application import application
from callboard.domain import errors
from callboard.policy.access import Action
from callboard.runtime import build
from callboard.settings import Settings
from tests.acceptance.gateway.house import house, town

PAGE = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("curl") is None, reason="NOT TESTED: there is no curl")
async def test_the_story_with_curl_is_true(tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    async with house() as here:
        told = await asyncio.create_subprocess_exec(
            *("bash", "-euo", "pipefail", "-c", "\n".join(blocks)),
            env={**os.environ, "URL": here.url, "KEY": here.key},
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
        )
        said = (await told.communicate())[0].decode()
        assert told.returncode == 0, said
    assert '"output":"hello Mia"' in said
    assert said.count("event: end") == 2
    assert said.count('"kind":"started"') == 1, "who came back saw it already"
    assert '"started":2,"refused":0' in said


def test_every_route_is_on_the_page_and_no_other() -> None:
    app = application(build(town(), Settings(store="sqlite://"), worker=False), console=False)
    rooms = {"/".join(path.split("/")[:3]) for path in app.openapi()["paths"]}
    assert rooms == set(re.findall(r"/v1/[a-z]+", PAGE))
    for action in set(re.findall(r"`([a-z]+:[a-z]+)`", PAGE)):
        assert action in set(Action)


def test_every_code_has_a_status_and_a_place_where_it_is_explained() -> None:
    known = {
        cls.code for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.CallboardError)
    }
    table = re.findall(r"^\| `(\w+)` \| (\d+) \|", PAGE, re.MULTILINE)
    assert {code for code, _ in table} == (set(STATUSES) | {INTERNAL}) - known
    assert all(STATUSES.get(code, 500) == int(status) for code, status in table)
