"""The verb `new`: writes a small project that passes its own tests."""

import re
from typing import Annotated

import typer

# Where each file of callboard.apps.cli.project goes. MODULE stands for the package's name.
_FILES = {
    "README.md.txt": "README.md",
    "pyproject.toml.txt": "pyproject.toml",
    "callboard.toml.txt": "callboard.toml",
    "gitignore.txt": ".gitignore",
    "app.py.txt": "MODULE/app.py",
    "orders.py.txt": "MODULE/orders.py",
    "init.py.txt": "MODULE/__init__.py",
    "test_app.py.txt": "tests/test_app.py",
}
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The project's name, and that of the folder to make.")],
) -> None:
    """Write a small project into a new folder: an app, its configuration, and tests that pass."""
    from importlib.metadata import version
    from importlib.resources import files
    from pathlib import Path
    from string import Template

    folder = Path(name)
    module = _module(folder.name)
    if folder.exists():
        from callboard.domain.errors import Conflict

        raise Conflict(f"{folder} is there already", why="nothing is overwritten", remedy="choose another name")
    values = {"name": folder.name, "module": module, "version": version("callboard")}
    project = files("callboard.apps.cli") / "project"
    for source, place in _FILES.items():
        target = folder / place.replace("MODULE", module)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template((project / source).read_text("utf-8")).substitute(values), "utf-8")
    typer.echo(f"wrote {folder}/\n\n  cd {folder}\n  pytest\n  callboard dev {module}")


def _module(name: str) -> str:
    """The package's name. Raises InputInvalid for a name that cannot be one."""
    import keyword
    import sys

    from callboard.domain.errors import InputInvalid

    module = name.replace("-", "_")
    taken = keyword.iskeyword(module) or module in sys.stdlib_module_names or module in ("callboard", "tests")
    if not _NAME.fullmatch(name) or taken:
        raise InputInvalid(
            f"NAME={name!r} cannot be a project's name",
            why="a package of that name could not be imported" if taken else "a package is named like it",
            remedy="use small letters, digits and dashes, such as order-desk",
        )
    return module
