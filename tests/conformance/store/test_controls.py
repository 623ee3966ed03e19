"""Pauses and limits are kept by scope and name, one of each, and seen by every store."""

from collections.abc import Sequence

import pytest

from callboard.store.controls import Control, Scope
from callboard.store.store import Store
from tests.conformance.store.play import T0


async def put(store: Store, *controls: Control) -> None:
    for control in controls:
        await store.controls.put(control)


def names(controls: Sequence[Control]) -> list[tuple[Scope, str]]:
    return [(c.scope, c.name) for c in controls]


async def test_there_are_none_at_first(store: Store) -> None:
    assert await store.controls.all() == []


@pytest.mark.parametrize(
    "control",
    [
        Control(scope=Scope.TENANT, name="acme", paused=True, by="mia", at=T0),
        Control(scope=Scope.FLOW, name="order", running=3, by="mia", at=T0 + 0.25),
        Control(scope=Scope.FLOW, name="order", running=0, by="mia", at=T0),
        Control(scope=Scope.TOOL, name="refund", paused=True, running=None, by="näïve 🎭", at=T0),
        Control(scope=Scope.TENANT, name="'; DROP TABLE runs --", paused=False),
    ],
)
async def test_a_control_comes_back_as_it_was_set(store: Store, control: Control) -> None:
    await put(store, control)
    assert await store.controls.all() == [control]


async def test_a_control_takes_the_place_of_the_one_before(store: Store) -> None:
    await put(store, Control(scope=Scope.FLOW, name="order", paused=True, running=2, by="mia", at=T0))
    second = Control(scope=Scope.FLOW, name="order", by="tom", at=T0 + 1)
    await put(store, second)
    assert await store.controls.all() == [second]


async def test_controls_of_one_name_and_several_scopes_are_several(store: Store) -> None:
    await put(store, *[Control(scope=scope, name="x", by=scope) for scope in Scope])
    assert {(c.scope, c.by) for c in await store.controls.all()} == {(scope, str(scope)) for scope in Scope}


async def test_controls_are_listed_by_scope_and_name(store: Store) -> None:
    wanted = [(Scope.FLOW, "a"), (Scope.FLOW, "b"), (Scope.TENANT, "Z"), (Scope.TENANT, "a"), (Scope.TOOL, "a")]
    await put(store, *[Control(scope=scope, name=name) for scope, name in wanted[::-1]])
    assert names(await store.controls.all()) == wanted


async def test_a_control_is_lifted_once(store: Store) -> None:
    await put(store, Control(scope=Scope.FLOW, name="a"), Control(scope=Scope.FLOW, name="b"))
    assert await store.controls.remove(Scope.FLOW, "a")
    assert not await store.controls.remove(Scope.FLOW, "a")
    assert not await store.controls.remove(Scope.TOOL, "b")
    assert names(await store.controls.all()) == [(Scope.FLOW, "b")]


async def test_a_control_that_is_set_holds_in_every_store(store: Store, other: Store) -> None:
    await put(store, Control(scope=Scope.TENANT, name="acme", paused=True))
    assert names(await other.controls.all()) == [(Scope.TENANT, "acme")]
    assert await other.controls.remove(Scope.TENANT, "acme")
    assert await store.controls.all() == []
