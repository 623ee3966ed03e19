"""A decision record is numbered, dated, and begins with the pain."""

import re

from tests.house.tree import ROOT

RECORDS = ROOT / "docs" / "decisions"
HEADINGS = ["Pain", "Decision", "Price"]


def test_every_record_is_numbered_dated_and_in_order() -> None:
    faults = []
    for number, path in enumerate(sorted(RECORDS.glob("[0-9]*.md")), start=1):
        text = path.read_text(encoding="utf-8")
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        if not path.name.startswith(f"{number:04}-"):
            faults.append(f"{path.name}: should be number {number:04}")
        if not re.search(r"^Date: \d{4}-\d\d-\d\d$", text, re.MULTILINE):
            faults.append(f"{path.name}: has no date")
        if headings[: len(HEADINGS)] != HEADINGS:
            faults.append(f"{path.name}: should begin with {HEADINGS}, has {headings}")
    assert not faults
