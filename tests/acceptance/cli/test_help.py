"""The command answers quickly, and its page in the documentation names all that it can do."""

import re
import subprocess
import sys
import time

import pytest
import typer.main

import callboard
from callboard.apps.cli.program import program
from tests.acceptance.cli.desk import Desk
from tests.house.tree import ROOT

HEAVY = ("apsw", "asyncio", "callboard.runtime", "msgspec", "pydantic", "rich")
UNIMPORTED = f"""
import sys, types
face = types.ModuleType("callboard")
face.__path__ = {list(callboard.__path__)!r}
sys.modules["callboard"] = face  # without the library's own face
import callboard.apps.cli
print([name for name in {HEAVY!r} if name in sys.modules])
"""


def commands() -> dict[str, list[str]]:
    """Each verb with its options, as the program has them."""
    found: dict[str, list[str]] = {}

    def collect(prefix: str, command: object) -> None:
        for name, each in command.commands.items():  # type: ignore[attr-defined]
            full = f"{prefix}{name}"
            if hasattr(each, "commands"):
                collect(f"{full} ", each)
            else:
                found[full] = [name for parameter in each.params for name in parameter.opts if name.startswith("--")]

    collect("", typer.main.get_command(program))
    return found


def test_nothing_heavy_is_imported_before_a_verb_needs_it() -> None:
    done = subprocess.run([sys.executable, "-c", UNIMPORTED], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_help_answers_within_three_tenths_of_a_second(desk: Desk) -> None:
    def once() -> float:
        began = time.perf_counter()
        desk("--help")
        return time.perf_counter() - began

    assert min(once() for _ in range(9)) < 0.3  # the best one: the others say how busy the machine is


@pytest.mark.parametrize("verb", ["", "runs", "approvals", *commands()])
def test_every_verb_explains_itself(verb: str) -> None:
    found = typer.main.get_command(program)
    with pytest.raises(SystemExit) as ended:
        found.main([*verb.split(), "--help"])
    assert ended.value.code == 0


def test_the_version_is_told_in_two_ways(desk: Desk) -> None:
    told = desk("version").stdout
    assert re.fullmatch(r"callboard \d+\.\d+\.\d+\S*\n", told)
    assert desk("--version").stdout == told


def test_the_documentation_names_every_verb_and_every_option() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## `callboard ([^`]+)`\n(.*?)(?=^## |\Z)", page, re.M | re.S))
    documented = {title: set(re.findall(r"`(--[a-z-]+)", body)) for title, body in sections.items()}
    shared = {"--store", "--tenant", "--json"}
    assert {verb: set(options) - shared for verb, options in commands().items()} == {
        verb: options - shared for verb, options in documented.items()
    }
