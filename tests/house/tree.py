"""The project's own source files, as the house tests look at them."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "callboard"
TREES = ("src", "examples", "bench", "tests")


def python_files(*trees: str) -> Iterator[Path]:
    """Every Python file under the named trees of the project, in a stable order."""
    for tree in trees:
        yield from sorted((ROOT / tree).rglob("*.py"))


def name_of(path: Path) -> str:
    """The path as a reader of the project would write it."""
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=name_of(path))
