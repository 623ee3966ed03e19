"""Random bytes are taken many at a time, and each is handed out once."""

import os

import pytest

from callboard.domain.entropy import Pooled


def test_each_byte_is_handed_out_once_and_the_source_is_asked_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def source(count: int) -> bytes:
        asked.append(count)
        return os.urandom(count)

    pooled = Pooled(source)
    found = [pooled(10) for _ in range(200)] + [pooled(5_000)]
    assert [len(each) for each in found] == [10] * 200 + [5_000]
    assert len(set(found)) == 201
    assert len(asked) == 5
    before = len(asked)
    monkeypatch.setattr(os, "getpid", lambda: -1)  # a fork must not hand out what its parent will
    pooled(10)
    assert len(asked) == before + 1
