"""Doors change nothing but at a desk, where it is checked and recorded: nothing of what changes things is called there.

Starts of `callboard run` are let be: they are recorded in the journal, as all starts are.
"""

import re

import pytest

from tests.house.tree import ROOT, name_of, python_files

CHANGES = re.compile(
    r"\.commands\.(?!start\()\w+\(|"
    r"\b(?:rt|_rt|runtime)\.(?:schedules\.(?:put|pause|resume|remove|trigger|adopt)|budgets\.(?:set|remove)|upstreams\.reset)\(|"
    r"\bstore\.\w+\.(?:put|remove|purge|requeue|fork|add|revoke|expire|append|decide|send|enter|leave|create|start)\w*\(|"
    r"\.handle\([^)]*\)\.(?:cancel|signal)\("
)


def test_no_door_changes_anything_beside_the_desk() -> None:
    found = [
        f"{name_of(path)}: {match.group()}"
        for path in python_files("src/callboard/apps")
        for match in CHANGES.finditer(re.sub(r"\s+", " ", path.read_text(encoding="utf-8")).replace(" .", "."))
    ]
    assert not found


def test_only_the_batch_starts_beside_the_desk() -> None:
    starts = {
        str(path.relative_to(ROOT / "src" / "callboard" / "apps"))
        for path in python_files("src/callboard/apps")
        if re.search(r"\.commands\.start\(|\brt\.(?:start|run)\(", path.read_text(encoding="utf-8"))
    }
    assert starts <= {"cli/batch/batch.py"}


@pytest.mark.parametrize(
    "source",
    [
        "await rt.commands.cancel(t, i)",
        "await self._rt.commands.requeue(i)",
        "rt.schedules.remove(n)",
        "rt.store.controls.put(c)",
        "await rt.handle(i).cancel()",
        "rt.budgets.set(t)",
    ],
)
def test_the_search_finds_what_it_guards_against(source: str) -> None:
    assert CHANGES.search(source)
    assert not CHANGES.search("await at(rt).runs.cancel(i); desk.schedules.remove(n); desk.runs.handle(i)")
