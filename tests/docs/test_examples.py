"""Every Python block of the guide and the README runs."""

import asyncio
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKS = [
    pytest.param(block, id=f"{page}:{number}")
    for page in (
        "README.md",
        *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md") if p.name != "architecture.md"),
    )
    for number, block in enumerate(
        re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL), 1
    )
]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_example_runs(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "example"}
    exec(compile(block, "example", "exec"), names)  # noqa: S102 - our own pages
    if "asyncio.run(" not in block:
        main = names["main"]
        assert inspect.iscoroutinefunction(main), "a block defines `async def main()`"
        asyncio.run(main())


def test_the_pages_have_examples() -> None:
    assert len(BLOCKS) >= 7
