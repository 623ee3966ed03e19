"""Small pictures of a figure over time, drawn on the server: no script, no style of its own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

_GAP = 1.0  # between two bars, in units of the picture


def sparkline(values: Sequence[float], label: str, tone: str = "", width: int = 120, height: int = 28) -> "Markup":
    """Bars, one for each value, the last one marked as now; `label` says the same in words.

    Values below 0 count as 0. A value above 0 is never drawn so low that nobody sees it.
    """
    from markupsafe import Markup

    most = max((*values, 0.0)) or 1.0
    step = width / max(1, len(values))
    bars = Markup()
    for place, value in enumerate(values):
        tall = max(2.0, value / most * (height - 1)) if value > 0 else 1.0
        kind = "spark-none" if value <= 0 else "spark-now" if place == len(values) - 1 else "spark-bar"
        bars += Markup('<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}" rx="1"/>').format(
            kind, place * step, height - tall, max(0.5, step - _GAP), tall
        )
    return Markup(
        '<svg class="spark {}" role="img" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-label="{}">{}</svg>'
    ).format(tone, width, height, label, bars)
