"""Loads named statements from the `.sql` files in an adapter's folder `queries/`."""

import re
from functools import cache
from importlib.resources import files

_NAMED = re.compile(r"^-- (\w+): .*\n((?:(?!-- \w+: ).*\n?)*)", re.MULTILINE)


@cache
def load(package: str, topic: str) -> dict[str, str]:
    """The statements of one file, by name. Each stands below a line `-- name: why it is there`."""
    text = (files(package) / "queries" / f"{topic}.sql").read_text(encoding="utf-8")
    return {name: body.strip().removesuffix(";") for name, body in _NAMED.findall(text)}
