"""Replay, which is pure: each effect gets what the journal has of it, in whatever order the branches ask."""

import re

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from callboard.engine.replay import New, Replay
from tests.properties.journals import Effect, Story, is_mismatch, right_answer, stories

stable = settings(derandomize=True, database=None, deadline=None, max_examples=100)


def asked(replay: Replay, effect: Effect) -> object:
    return replay.answer(effect.place, effect.name, effect.digest)


def scopes_of(story: Story) -> set[str]:
    """Places that have effects within: of `3.0/1/2` these are `3` and `3.0/1`."""
    return {
        re.sub(r"(\.\d+)?$", "", place[: slash.start()]) for place in story.effects for slash in re.finditer("/", place)
    }


@stable
@given(stories(), st.data())
def test_each_effect_gets_what_is_recorded_of_it_in_any_order_of_asking(story: Story, data: st.DataObject) -> None:
    replay = Replay(story.events)
    for effect in data.draw(st.permutations(list(story.effects.values()))):
        assert asked(replay, effect) == right_answer(story, effect)


@stable
@given(stories(), st.data())
def test_the_beginning_of_a_journal_answers_as_it_did_when_there_was_no_more(story: Story, data: st.DataObject) -> None:
    begun = story.cut(data.draw(st.integers(1, len(story.events))))
    replay = Replay(begun.events)
    for effect in story.effects.values():
        assert asked(replay, effect) == right_answer(begun, effect)


@stable
@given(stories())
def test_what_was_returned_is_not_returned_again(story: Story) -> None:
    replay = Replay(story.events)
    for effect in story.effects.values():
        asked(replay, effect)
        assert isinstance(asked(replay, effect), New)
    assert replay.leftover() is None


@stable
@given(stories(), st.data(), st.booleans())
def test_another_name_or_other_arguments_are_a_mismatch_and_never_an_answer(
    story: Story, data: st.DataObject, renamed: bool
) -> None:
    effect = data.draw(st.sampled_from(list(story.effects.values())))
    name, digest = (effect.name + "!", effect.digest) if renamed else (effect.name, b"other---")
    move = Replay(story.events).answer(effect.place, name, digest)
    assert is_mismatch(move), f"{move} although the journal has {[e.kind.label for e in story.of(effect)]}"


@stable
@given(stories(), st.data())
def test_an_effect_where_a_scope_was_is_a_mismatch(story: Story, data: st.DataObject) -> None:
    scopes = sorted(scopes_of(story))
    assume(scopes)
    assert is_mismatch(Replay(story.events).answer(data.draw(st.sampled_from(scopes)), "a", b""))


@stable
@given(stories(), st.data())
def test_a_scope_where_an_effect_was_is_a_mismatch(story: Story, data: st.DataObject) -> None:
    effect = data.draw(st.sampled_from(list(story.effects.values())))
    move = Replay(story.events).enter(effect.place, "gather")
    assert is_mismatch(move), f"entered although the journal has {[e.kind.label for e in story.of(effect)]}"


@stable
@given(stories())
def test_a_scope_is_entered_where_a_scope_was_and_where_nothing_was(story: Story) -> None:
    replay = Replay(story.events)
    for place in [*scopes_of(story), "9"]:
        assert replay.enter(place, "gather") is None


@stable
@given(stories(), st.data())
def test_an_effect_that_nobody_asked_for_is_left_over_be_it_begun_or_done(story: Story, data: st.DataObject) -> None:
    effects = list(story.effects.values())
    wanted = data.draw(st.sets(st.sampled_from(effects), max_size=len(effects) - 1))
    replay = Replay(story.events)
    for effect in wanted:
        asked(replay, effect)
    found = replay.leftover()
    assert found is not None
    assert found.path in {effect.path for effect in effects if effect not in wanted}


@stable
@given(stories(), st.data())
def test_what_a_branch_that_lost_had_recorded_is_not_left_over(story: Story, data: st.DataObject) -> None:
    scopes = sorted(scopes_of(story))
    assume(scopes)
    lost = data.draw(st.sampled_from(scopes))
    replay = Replay(story.events)
    replay.skip(f"{lost}.")
    replay.skip(f"{lost}/")
    for effect in story.effects.values():
        if not effect.place.startswith((f"{lost}.", f"{lost}/")):
            assert asked(replay, effect) == right_answer(story, effect)
    assert replay.leftover() is None
