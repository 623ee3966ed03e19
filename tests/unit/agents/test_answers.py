import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.agents.answers import Cache, key_of
from callboard.domain.errors import InputInvalid
from callboard.domain.message import Media, Message, Role, Text, ToolCall, ToolResult, user
from callboard.domain.toolspec import ToolSpec
from callboard.models import ModelRequest

_texts = st.text(max_size=5)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | _texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=4,
)
_parts = st.one_of(
    st.builds(Text, _texts),
    st.builds(ToolCall, _texts, _texts, st.dictionaries(_texts, _json, max_size=3)),
    st.builds(ToolResult, _texts, _texts, _json),
)
_requests = st.builds(
    ModelRequest,
    messages=st.lists(
        st.builds(Message, st.sampled_from(Role), st.lists(_parts, max_size=2).map(tuple)), max_size=2
    ).map(tuple),
    tools=st.lists(st.builds(ToolSpec, _texts, _texts, st.dictionaries(_texts, _json, max_size=2)), max_size=1).map(
        tuple
    ),
    tool_choice=st.sampled_from(["auto", "none"]),
    output_schema=st.none() | st.dictionaries(_texts, _json, max_size=2),
    max_output_tokens=st.none() | st.integers(1, 3),
    temperature=st.none() | st.sampled_from([0.0, 0.5]),
    stop=st.lists(_texts, max_size=1).map(tuple),
    reasoning=st.none() | st.sampled_from(["low", "high"]),
)


def key(request: ModelRequest, route: str = "smart", release: bytes = b"1") -> bytes:
    return key_of(request, route, release)


def written(request: ModelRequest) -> str:
    return json.dumps(msgspec.to_builtins(request), sort_keys=True)


def turned(value: Any) -> Any:
    """The same value with its dictionaries in the opposite order."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(each) for each in value] if isinstance(value, list) else value


@given(_requests, _requests)
def test_two_questions_share_a_key_only_if_they_are_the_same(one: ModelRequest, other: ModelRequest) -> None:
    same = written(one) == written(other)
    assert (key(one) == key(other)) is same


@given(_requests)
def test_the_order_of_members_does_not_matter(request: ModelRequest) -> None:
    again = msgspec.convert(turned(msgspec.to_builtins(request)), ModelRequest)
    assert key(again) == key(request)


def test_route_release_and_the_bytes_of_media_matter_and_attempts_do_not() -> None:
    request = ModelRequest(messages=(user("hello"), Message(Role.USER, (Media("blob:1", "image/png"),))))
    replace = msgspec.structs.replace
    keys = {
        key(request),
        key(request, route="fast"),
        key(request, release=b"2"),
        key(replace(request, media={"blob:1": b"one"})),
        key(replace(request, media={"blob:1": b"two"})),
    }
    assert len(keys) == 5
    assert key(replace(request, turn=3, attempt=2, metadata={"run": "x"}, connect=1.0)) == key(request)


@pytest.mark.parametrize("age", [0, -1, float("inf"), float("nan")])
def test_an_age_that_cannot_be_is_refused(age: float) -> None:
    with pytest.raises(InputInvalid, match="age"):
        Cache(age=age)
