"""What axe-core finds wrong with a page for people who cannot see it, hear it or use a mouse."""

from functools import cache
from pathlib import Path
from typing import Any

from playwright.async_api import Page

SCRIPT = Path(__file__).parent / "vendor" / "axe.min.js"
_BAD = ("serious", "critical")
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_COLOURS = ["color-contrast", "link-in-text-block"]


async def faults(page: Page, within: str = ":root", colours: bool = False) -> list[str]:
    """The serious and critical ones, a line for each place: impact, rule, where, what is wrong.

    Args:
        page: what is looked at, as it is now.
        within: only inside the elements of this selector.
        colours: only what depends on them.
    """
    # As an expression and not as a script in the page, which its policy refuses.
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(_source())
    found: dict[str, Any] = await page.evaluate(
        "([within, runOnly]) => axe.run(within, {runOnly, resultTypes: ['violations']})",
        [within, {"type": "rule", "values": _COLOURS} if colours else {"type": "tag", "values": _TAGS}],
    )
    return [
        f"{rule['impact']} {rule['id']} at {' '.join(map(str, node['target']))}: {rule['help']}: {node['html'][:160]}"
        for rule in found["violations"]
        if rule["impact"] in _BAD
        for node in rule["nodes"]
    ]


@cache
def _source() -> str:
    return SCRIPT.read_text("utf-8")
