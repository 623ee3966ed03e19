"""Prints what was found: tables for people, JSON for programs."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from callboard.domain.codec import encode

_UNBOUNDED = 100_000  # columns: what is piped or written to a file is never cut


def objects(found: Iterable[Any]) -> None:
    """An array of JSON objects, one a line."""
    print("[" + ",\n ".join(encode(each).decode() for each in found) + "]")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Aligned columns; on a terminal they are fitted to its width."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(
        *columns, box=None, show_header=any(columns), pad_edge=False, padding=(0, 2, 0, 0), header_style="bold"
    )
    for column in shown.columns:
        column.overflow = "fold"
    shown.columns[0].no_wrap = True  # an id that is broken over two lines cannot be copied
    for row in rows:
        shown.add_row(*[Text("" if cell is None else str(cell)) for cell in row])
    Console(width=None if sys.stdout.isatty() else _UNBOUNDED).print(shown)


@contextmanager
def stream(as_json: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Prints events one by one as they come; as JSON they are one array in the end."""
    begun = False

    def put(event: dict[str, Any]) -> None:
        nonlocal begun
        if as_json:
            print("," if begun else "[", encode(event).decode(), flush=True)
        else:
            took, body = f"{event['took']:.3f}s", brief(event["body"], 120)
            facts = f"{event['seq']:>5}  {when(event['at'])}  {event['kind']:<13} {took:>9}"
            print(f"{facts}  {event['path']}  {body}", flush=True)
        begun = True

    try:
        yield put
        if as_json and not begun:
            print("[", end="")
            begun = True
    finally:
        if as_json and begun:
            print("]", flush=True)


def pairs(facts: dict[str, object]) -> None:
    """Names and values, one a line; what is empty is left out."""
    table(("", ""), [(name, value) for name, value in facts.items() if value not in (None, "", {}, [])])


def brief(value: object, limit: int = 100) -> str:
    """A value as JSON on one line, cut to a length that fits into a table."""
    text = encode(value).decode()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def money(dollars: float | None) -> str:
    """Dollars with cents, and with more decimals where it is less than a dollar."""
    if dollars is None:
        return ""
    return f"${dollars:,.2f}" if abs(dollars) >= 1 or dollars == 0 else f"${dollars:.6f}".rstrip("0").ljust(5, "0")


def when(seconds: float | None) -> str:
    """A time as people read it, in their own time zone."""
    return "" if seconds is None else datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
