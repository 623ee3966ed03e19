from pathlib import Path

import pytest

from examples.retail.catalog import Base, Overlay, load

SHIPPED = Path(__file__).parents[3] / "examples" / "retail" / "data"


@pytest.fixture
def base() -> Base:
    return load(SHIPPED)


@pytest.fixture
def shop(base: Base) -> Overlay:
    return Overlay(base)
