from callboard.apps.console.difference import Change, difference


def test_each_place_that_differs_is_named_once() -> None:
    before = {"amount": 254.3, "items": ["a", "b"], "to": {"e-mail": "x", "a b": 1}, "gone": None, "flag": 1}
    after = {"amount": 127.15, "items": ["a"], "to": {"e-mail": "y", "a b": 2}, "new": [], "flag": True}
    assert difference(before, after) == [
        Change("amount", "changed", 254.3, 127.15),
        Change("items[1]", "removed", "b", None),
        Change("to.e-mail", "changed", "x", "y"),
        Change('to["a b"]', "changed", 1, 2),
        Change("gone", "removed", None, None),
        Change("flag", "changed", 1, True),
        Change("new", "added", None, []),
    ]
    assert difference(before, before) == []
    assert difference("a", ["a"]) == [Change("", "changed", "a", ["a"])]
    assert len(difference(list(range(500)), [])) == 200
