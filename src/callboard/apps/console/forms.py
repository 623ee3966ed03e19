"""What a page's form sent. Whoever reads one has passed the entrance, which checked its token."""

import json
from typing import Any

from callboard.domain.errors import InputInvalid


def text(fields: dict[str, str], name: str, *, needed: bool = True, most: int = 10_000) -> str:
    """A field's text without the blanks around it. Raises InputInvalid where it is missing or too long."""
    value = fields.get(name, "").strip()
    if needed and not value:
        raise InputInvalid(f"{name} is empty", remedy=f"fill in {name}")
    if len(value) > most:
        raise InputInvalid(f"{name} has {len(value):,} characters", remedy=f"write {most:,} at most")
    return value


def json_value(fields: dict[str, str], name: str) -> Any:
    """A field that holds JSON; an empty one is null. Raises InputInvalid."""
    given = text(fields, name, needed=False, most=1_000_000)
    if not given:
        return None
    try:
        return json.loads(given)
    except (ValueError, RecursionError) as error:
        raise InputInvalid(f"{name} is not JSON", why=str(error), remedy='write a text in quotes: "yes"') from None
