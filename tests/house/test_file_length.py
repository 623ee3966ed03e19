"""One idea a file: files stay short, and a package's front page holds no code."""

import ast

from tests.house.tree import TREES, name_of, parse, python_files

LIMIT = 400
FACE = "src/callboard/__init__.py"  # loads its names on first use: docs/decisions/0007


def is_front_page_material(node: ast.stmt) -> bool:
    """A docstring, an import, or a literal `__all__`."""
    match node:
        case ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts) | ast.Tuple(elts)):
            return all(isinstance(item, ast.Constant) and isinstance(item.value, str) for item in elts)
        case _:
            return False


def test_no_file_is_longer_than_the_limit() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files(*TREES)}
    too_long = {name: length for name, length in lengths.items() if length > LIMIT}
    assert not too_long, f"over {LIMIT} lines; split by idea: {too_long}"


def test_a_package_front_page_holds_no_code() -> None:
    strays = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files("src")
        if path.name == "__init__.py" and name_of(path) != FACE
        for node in parse(path).body
        if not is_front_page_material(node)
    ]
    assert not strays, f"only a docstring, imports and __all__ belong in __init__: {strays}"
