"""Names that say nothing, and calls that run stored bytes, stay out."""

import ast
from collections.abc import Iterator

import pytest

from tests.house.tree import PACKAGE, TREES, name_of, parse, python_files

EMPTY_NAMES = {"base", "common", "core", "helper", "helpers", "misc", "util", "utils"}
UNSAFE_MODULES = {"cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "pickle", "shelve"}
UNSAFE_CALLS = {"eval", "exec"}


def unsafe_nodes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of each import or call that could run what was stored."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                for alias in names:
                    if alias.name.partition(".")[0] in UNSAFE_MODULES:
                        yield node.lineno, alias.name
            case ast.ImportFrom(module=str(module), level=0) if module.partition(".")[0] in UNSAFE_MODULES:
                yield node.lineno, module
            case ast.Call(func=ast.Name(id=name)) if name in UNSAFE_CALLS:
                yield node.lineno, name
            case ast.Attribute(value=ast.Name(id="builtins"), attr=name) if name in UNSAFE_CALLS:
                yield node.lineno, name


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    empty = {
        name_of(path)
        for path in python_files(*TREES)
        if EMPTY_NAMES & {part.strip("_").lower() for part in (path.stem, path.parent.name)}
    }
    assert not empty, f"name what is in it: {sorted(empty)}"


def test_no_source_file_unpickles_or_evaluates() -> None:
    unsafe = [
        f"{name_of(path)}:{line} {name}" for path in python_files("src") for line, name in unsafe_nodes(parse(path))
    ]
    assert not unsafe


def test_the_package_tells_type_checkers_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import dill.source",
        "eval('1')",
        "import builtins\nbuiltins.exec",
    ],
)
def test_the_search_finds_what_it_guards_against(source: str) -> None:
    assert list(unsafe_nodes(ast.parse(source)))


@pytest.mark.parametrize("source", ["from . import pickle", "model.eval()", "cursor.exec('x')", "def eval(): ..."])
def test_the_search_leaves_innocent_namesakes_alone(source: str) -> None:
    assert not list(unsafe_nodes(ast.parse(source)))
