"""The table of roles on the security page is the policy's."""

import re

from callboard.domain.principal import Role
from callboard.policy.access import ALLOWED, UNSCOPED, Action
from tests.house.tree import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_the_table_of_roles_is_the_policys() -> None:
    head = re.search(r"^\| action \| (.*) \| what \|$", PAGE, re.MULTILINE)
    assert head and head[1].split(" | ") == list(Role)
    rows = re.findall(r"^\| `([a-z]+:[a-z]+)`( \(all flows\))? \|((?:[^|\n]*\|){5})", PAGE, re.MULTILINE)
    shown = {name: ([cell.strip() for cell in cells.split("|")[:-1]], bool(whole)) for name, whole, cells in rows}
    assert shown == {
        str(action): (["yes" if action in ALLOWED[role] else "" for role in Role], action in UNSCOPED)
        for action in Action
    }
