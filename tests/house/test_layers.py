"""The floor plan holds, is complete, and would notice being broken."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

from tests.house.tree import PACKAGE, ROOT, name_of, parse, python_files

DOORS_MAY_KNOW = ("runtime", "domain", "settings")
ADAPTERS = (
    "store.sqlite",
    "store.postgres",
    "dispatch.fifo",
    "dispatch.in_process",
    "dispatch.postgres",
    "dispatch.redis_streams",
    "streams.in_process",
    "streams.postgres",
    "streams.redis",
    "resilience.in_process",
    "resilience.redis",
)

# The importing module, a module that it may not import, and what the linter should answer.
BREACHES = [
    ("domain.run", "settings", "Every arrow points down"),
    ("store.journal", "dispatch.queue", "Every arrow points down"),
    ("models.model", "tools.tool", "Every arrow points down"),
    ("agents.turn", "runtime", "Every arrow points down"),
    ("wiring", "runtime", "Every arrow points down"),
    ("runtime", "testing.clock", "Every arrow points down"),
    ("engine.runner", "models.model", "The engine has never heard"),
    ("engine.runner", "tools.tool", "The engine has never heard"),
    ("engine.runner", "policy.verdict", "The engine has never heard"),
    ("engine.runner", "resilience.breaker", "The engine has never heard"),
    ("models.model", "store.journal", "never heard of a journal"),
    ("tools.tool", "streams.stream", "never heard of a journal"),
    ("telemetry.span", "telemetry.otel", "No circles"),
]


def lint(config: Path, source: Path) -> subprocess.CompletedProcess[str]:
    """Check the package that lies in `source` against the contracts in `config`."""
    linter = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [linter, "--config", config, "--no-cache", "--no-logo"],
        cwd=source.parent,
        env={**os.environ, "PYTHONPATH": str(source), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def planned_rooms() -> set[str]:
    """The rooms that the floor plan in `pyproject.toml` names."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    floors = next(contract for contract in contracts if contract["id"] == "floors")
    return {room.strip("() ") for floor in floors["layers"] for room in re.split("[|:]", floor)}


def build(source: Path, *modules: str) -> None:
    """Write a package of empty modules, each given by its dotted name below `callboard`."""
    (source / "callboard").mkdir(parents=True)
    (source / "callboard" / "__init__.py").touch()
    for module in modules:
        path = source.joinpath("callboard", *module.split(".")).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        if path.parent.name != "callboard":
            (path.parent / "__init__.py").touch()
        path.touch()


def direct_imports() -> list[tuple[str, str]]:
    """Imports within the package, as (importer, imported)."""
    graph = grimp.build_graph("callboard", cache_dir=None)
    return sorted(
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    )


def is_within(module: str, *rooms: str) -> bool:
    """Whether a module is one of the rooms or lies in one."""
    return any(f"{module}.".startswith(f"callboard.{room}.") for room in rooms)


def imported_modules(path: Path) -> list[tuple[int, str]]:
    """Line and dotted name of every absolute import in a file."""
    found = []
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.append((node.lineno, node.module))
    return found


def test_the_floor_plan_holds() -> None:
    result = lint(ROOT / "pyproject.toml", ROOT / "src")
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_room_is_on_the_plan() -> None:
    rooms = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path.is_dir() and any(path.rglob("*.py")))
    }
    assert rooms - {"__init__"} <= planned_rooms()


@pytest.mark.parametrize(("importer", "imported", "answer"), BREACHES)
def test_the_plan_notices_a_breach(tmp_path: Path, importer: str, imported: str, answer: str) -> None:
    build(tmp_path / "src", importer, imported)
    source = tmp_path.joinpath("src", "callboard", *importer.split(".")).with_suffix(".py")
    source.write_text(f"import callboard.{imported}\n")
    if answer == "No circles":
        target = tmp_path.joinpath("src", "callboard", *imported.split(".")).with_suffix(".py")
        target.write_text(f"import callboard.{importer}\n")
    result = lint(ROOT / "pyproject.toml", tmp_path / "src")
    assert result.returncode == 1, result.stdout + result.stderr
    assert re.search(rf"{answer}.*BROKEN", result.stdout), result.stdout


def test_the_plan_notices_a_room_that_is_not_on_it(tmp_path: Path) -> None:
    build(tmp_path / "src", "cellar.wine")
    result = lint(ROOT / "pyproject.toml", tmp_path / "src")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "cellar" in result.stdout


def test_nothing_inside_imports_the_public_face() -> None:
    assert not [importer for importer, imported in direct_imports() if imported == "callboard"]


def test_nothing_imports_the_test_kit_but_the_verb_that_offers_it() -> None:
    assert not [
        importer
        for importer, imported in direct_imports()
        if is_within(imported, "testing") and not is_within(importer, "testing", "apps.cli.chaos")
    ]


def test_doors_know_the_runtime_and_never_open_the_store() -> None:
    assert not [
        (importer, imported)
        for importer, imported in direct_imports()
        if is_within(importer, "apps")
        and not is_within(imported, "apps", *DOORS_MAY_KNOW)
        and not (is_within(importer, "apps.cli.chaos") and is_within(imported, "testing"))
    ]


def test_only_the_composition_root_names_an_adapter() -> None:
    assert not [
        (importer, imported)
        for importer, imported in direct_imports()
        if is_within(imported, *ADAPTERS)
        and not is_within(importer, "wiring")
        and not any(is_within(importer, adapter) for adapter in ADAPTERS if is_within(imported, adapter))
    ]


def test_the_ground_floor_stands_on_the_standard_library_and_msgspec() -> None:
    allowed = {*sys.stdlib_module_names, "msgspec", "callboard"}
    strays = [
        f"{name_of(path)}:{line} {module}"
        for path in python_files("src/callboard/domain")
        for line, module in imported_modules(path)
        if module.partition(".")[0] not in allowed
    ]
    assert not strays
