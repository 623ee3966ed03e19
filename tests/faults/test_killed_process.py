"""A fault that kills ends a real process, without a last word, and the next process finds out what had happened."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def till(folder: Path, *death: str) -> "subprocess.CompletedProcess[str]":
    words = [f"sqlite:///{folder}/till.db", str(folder / "ledger"), *death]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.till", *words],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(("death", "before"), [("before", 0), ("after", 1)])
def test_a_process_dies_in_a_call_and_the_next_one_never_repeats_it(death: str, before: int, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    dead = till(tmp_path, death)
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    assert len(ledger.read_text().split() if ledger.exists() else []) == before
    living = till(tmp_path)
    assert (living.returncode, living.stdout) == (0, "paid\n"), living.stderr
    assert len(ledger.read_text().split()) == 1
