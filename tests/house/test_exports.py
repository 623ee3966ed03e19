"""The public face is pinned: a name joins or leaves it on purpose, in `exports.txt`."""

from importlib import import_module
from pathlib import Path

import callboard

PINNED = Path(__file__).with_name("exports.txt")


def pinned_names() -> list[str]:
    lines = (line.strip() for line in PINNED.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def test_the_pinned_list_is_sorted_and_names_each_name_once() -> None:
    names = pinned_names()
    assert names == sorted(set(names))


def test_the_public_face_is_the_pinned_list() -> None:
    face = list(getattr(callboard, "__all__", ()))
    assert sorted(face) == pinned_names()


def test_every_public_name_can_be_reached() -> None:
    missing = [name for name in pinned_names() if not hasattr(callboard, name)]
    assert not missing


def test_every_public_name_loads_and_says_where_it_lives() -> None:
    homes = callboard._HOMES
    assert sorted(homes) == sorted(callboard.__all__)
    for name, module in homes.items():
        assert getattr(callboard, name) is getattr(import_module(module), name)
