"""Figures and times as the pages show them. Each takes None for what is not known and shows a dash."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markupsafe import Markup

NONE = "–"
_MICROS = 1_000_000
MORE = "… and more"
_LONGEST = 200_000  # characters of a value that a page shows


def money(micros: int | None) -> str:
    """Micro-dollars as dollars: two decimals from a dollar on, four below."""
    if micros is None:
        return NONE
    if 0 < abs(micros) < 50:
        return "<$0.0001"
    value = micros / _MICROS
    return f"${value:,.2f}" if abs(value) >= 1 or not micros else f"${value:.4f}"


def duration(seconds: float | None) -> str:
    """A length of time in the two units that matter: `840 ms`, `3.2 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds is None:
        return NONE
    seconds = max(0.0, seconds)
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs" if seconds else "0 s"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, below, small in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {unit} {rest} {small}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def count(number: float | None) -> str:
    """A number with its thousands apart."""
    if number is None:
        return NONE
    return f"{number:,}" if isinstance(number, int) else f"{number:,.1f}"


def size(amount: int | None) -> str:
    """Bytes as people say them."""
    if amount is None:
        return NONE
    value = float(amount)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1_000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1_000
    raise AssertionError


def percent(share: float | None) -> str:
    """A share of one: `12.5 %`."""
    if share is None:
        return NONE
    value = 100 * share
    return f"{value:.0f} %" if value == round(value) or value >= 10 else f"{value:.1f} %"


def time(seconds: float | None, form: str = "short") -> "Markup | str":
    """A moment (epoch seconds), as `<time>` in UTC; in the browser it becomes the reader's own time.

    `form`: `short` (date only where it is not today), `full`, `ago` ("3 min ago", kept up to date), or `since` (the
    length of time until now).
    """
    if seconds is None:
        return NONE
    from markupsafe import Markup

    moment = datetime.fromtimestamp(seconds, UTC)
    full = moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    # About as wide as what the browser is going to put in its place, so that a table does not jump.
    return Markup('<time datetime="{}" data-form="{}" title="{}">{}</time>').format(
        moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z",
        form,
        full,
        full if form == "full" else moment.strftime("%m-%d %H:%M"),
    )


def short(run_id: str | None) -> str:
    """The part of an id by which people tell it from others: its end, which is chance."""
    return NONE if not run_id else run_id[-8:]


_encoder = json.JSONEncoder(indent=2, ensure_ascii=False, default=str)


def pretty(value: Any, limit: int = _LONGEST) -> str:
    """A value as indented JSON, cut at `limit` characters; a text that is a JSON object or array is shown so too."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return clip(value, limit)
    pieces, length = [], 0
    for piece in _encoder.iterencode(value):
        pieces.append(piece)
        length += len(piece)
        if length > limit:  # what is not shown is not made either: it may be much
            return f"{''.join(pieces)[:limit]}\n{MORE}"
    return "".join(pieces)


def clip(text: str, limit: int = _LONGEST) -> str:
    """A text, cut where no page should be longer."""
    return text if len(text) <= limit else f"{text[:limit]}\n… {len(text) - limit:,} characters more"


def brief(value: Any, limit: int = 120) -> str:
    """A value on one line: a text as it is, anything else as JSON; cut at `limit` characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text[: limit * 4].split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


FILTERS = {
    "money": money,
    "duration": duration,
    "count": count,
    "size": size,
    "percent": percent,
    "time": time,
    "short": short,
    "pretty": pretty,
    "clip": clip,
    "brief": brief,
}
