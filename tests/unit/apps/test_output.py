"""The output file is the old one or the new one, never a part of either."""

import os
from pathlib import Path

import pytest

from callboard.apps.cli.batch.output import replacing


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"old")
    with replacing(path) as put:
        put(b"new " * 100_000)
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new " * 100_000
    assert os.listdir(tmp_path) == ["out.jsonl"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"old")
    with pytest.raises(type(error)), replacing(path) as put:
        put(b"new")
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.jsonl"]
