"""The pages about a fleet: Python blocks and `sh` blocks run on a PostgreSQL; `console` blocks are shown, and what they
name exists."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from callboard.apps.cli.program import program
from callboard.telemetry.exposition import Exposition, Levels
from callboard.telemetry.metrics import Metrics
from tests.deploy.test_names import refusal, settings
from tests.servers.apart import apart
from tests.servers.postgres import PostgresServer

ROOT = Path(__file__).parents[2]
PAGES = ("docs/deploy.md", "docs/fleet.md")
NOT_RUN_HERE = {"docker", "kubectl", "cp", "psql", "pg_dump", "pg_restore"}


def blocks(kind: str) -> list:
    return [
        pytest.param(block, id=f"{page}:{number}")
        for page in PAGES
        for number, block in enumerate(
            re.findall(rf"^```{kind}\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL), 1
        )
    ]


def text() -> str:
    return "\n".join((ROOT / page).read_text("utf-8") for page in PAGES)


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[str]:
    """A migrated database, for a user who may do what workers may."""
    url = postgres.new_database("pages")
    apart(_migrate(url))
    yield postgres.roles(url).worker
    postgres.drop_database(url)


async def _migrate(url: str) -> None:
    from callboard.runtime import migrate_schema

    await migrate_schema(url, ("before", "after"))


@pytest.fixture(autouse=True)
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    if "block" in request.fixturenames:
        monkeypatch.setenv("CALLBOARD_STORE", request.getfixturevalue("database"))


@pytest.mark.parametrize("block", blocks("python"))
def test_the_example_runs(block: str) -> None:
    assert "asyncio.run(" in block
    exec(compile(block, "example", "exec"), {"__name__": "example"})  # noqa: S102 - our own pages


@pytest.mark.parametrize("block", blocks("sh"))
def test_the_commands_succeed(block: str) -> None:
    for line in block.splitlines():
        name, *words = shlex.split(line)
        assert name == "callboard", f"{line}: what is not run belongs into a console block"
        done = CliRunner().invoke(program, words, catch_exceptions=False)
        assert done.exit_code == 0, f"{line}\n{done.output}"


@pytest.mark.parametrize("shown", blocks("console"))
def test_what_is_shown_and_not_run_names_what_exists(shown: str) -> None:
    for line in shown.splitlines():
        assert line.split()[0] in NOT_RUN_HERE, f"{line}: what can be run belongs into an sh block"
        if (found := re.search(r"(?<!-)\bcallboard ((?:workers|queue|db|runs)\b.*)", line)) is not None:
            assert not refusal(shlex.split(found[1]))


def test_every_file_that_is_named_is_there() -> None:
    named = set(re.findall(r"\bdeploy/[\w./-]*\w", text())) - {"deploy/.env"}
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]


def test_every_setting_option_and_verb_that_is_named_is_there() -> None:
    assert set(re.findall(r"\bCALLBOARD_[A-Z_]+\b", text())) <= settings()
    inline = re.findall(r"`(callboard [a-z][^`]*)`", text())
    assert inline
    for command in inline:
        refused = refusal(shlex.split(command)[1:])
        assert not refused or refused.startswith("MissingParameter"), command  # bare verbs are spoken of, too


def test_every_metric_and_alert_is_named_and_no_other() -> None:
    registry = Exposition(Metrics())
    registry.text(Levels(runs={"ready": 0}, oldest=0.0, active=0, capacity=1))
    told = {f.name + ("_total" if f.type == "counter" else "") for f in registry.registry.collect()}
    fleet = (ROOT / "docs/fleet.md").read_text("utf-8")
    assert told == set(re.findall(r"`(callboard_\w+)`", fleet.split("## What to watch")[1]))
    rules = yaml.safe_load((ROOT / "deploy/kubernetes/monitoring/rules.yaml").read_text("utf-8"))
    alerts = {rule["alert"] for group in rules["spec"]["groups"] for rule in group["rules"]}
    assert alerts == set(re.findall(r"`(Callboard[A-Z]\w+)`", fleet))
