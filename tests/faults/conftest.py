"""A witness stands at the shop's door."""

import pytest

from tests.faults.witness import Witness


@pytest.fixture(autouse=True)
def witness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("examples.retail.tools.Shop", Witness)
