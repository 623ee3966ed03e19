"""Hints gather without doubles and without end, and travel as short texts."""

from callboard.dispatch.bell import Hint, News
from callboard.dispatch.pending import Pending, pack, unpack


def hints(count: int, news: News = News.ENDED) -> list[Hint]:
    return [Hint(news, f"{n:026d}") for n in range(count)]


def filled(*waiting: Hint) -> Pending:
    pending = Pending()
    for hint in waiting:
        pending.add(hint)
    return pending


def test_each_hint_waits_once_in_order() -> None:
    a, b = hints(2)
    assert filled(a, b, a, Hint(News.INBOX, a.run_id)).take() == [a, b, Hint(News.INBOX, a.run_id)]


def test_one_ready_run_stands_for_all() -> None:
    ready, (ended,) = hints(3, News.READY), hints(1)
    assert filled(*ready, ended).take() == [ready[0], ended]


def test_the_oldest_are_lost_when_there_are_too_many() -> None:
    many = hints(10_003)
    pending = filled(*many)
    assert len(pending) == 10_000
    assert pending.take() == many[3:]
    assert not pending


def test_what_is_put_back_stands_before_what_is_newer() -> None:
    a, b, c = hints(3)
    pending = filled(a, b)
    taken = pending.take()
    pending.add(c)
    pending.add(a)
    pending.put_back(taken)
    assert pending.take() == [a, b, c]


def test_texts_are_as_long_as_allowed_and_lose_nothing() -> None:
    many = [*hints(1_000), *hints(1, News.READY), *hints(5, News.STREAM)]
    texts = list(pack("somebody", many, 7_900))
    assert max(len(text) for text in texts) <= 7_900
    assert len(texts) == 4
    assert [hint for text in texts for hint in unpack(text)[1]] == many
    assert {unpack(text)[0] for text in texts} == {"somebody"}
    assert list(pack("somebody", [], 100)) == []


def test_noise_is_no_hint() -> None:
    assert unpack("") == ("", [])
    assert unpack("me x r  e1 zz i") == ("me", [Hint(News.ENDED, "1")])
