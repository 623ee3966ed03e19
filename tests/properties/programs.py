"""Random programs as data: what they are, what they must give, and which effects they must have.

A program is a list, its first item says what it does. `expected` and `effects` are worked out from the data
alone, so that the engine is compared with something that knows nothing of journals.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Program = list[Any]
NEVER = 1e8  # seconds that nobody winds to


def expected(program: Program) -> Any:
    """What the program returns."""
    match program:
        case ["step" | "touch" | "once", n]:
            return [program[0], n]
        case ["stumble", n, _]:
            return ["stumble", n]
        case ["fail", n]:
            return ["failed", n]
        case ["wait", n]:
            return ["sent", n]
        case ["sleep", _] | ["label", _] | ["never"]:
            return None
        case ["lapse", _] | ["late", _]:
            return "timed_out"
        case ["seq" | "gather", parts]:
            return [expected(part) for part in parts]
        case ["race", winner, parts]:
            return [winner, expected(parts[winner])]
        case ["within" | "scope", inner]:
            return expected(inner)
        case ["spawn", _, _, inner]:
            return expected(inner)
    raise AssertionError(program)


def effects(program: Program) -> Counter[str]:
    """Names of the effects that the program has on the world."""
    return Counter(f"{part[0]}_{part[1]}" for part in parts_of(program) if part[0] in EFFECTS)


def parts_of(program: Program) -> Iterator[Program]:
    """The program and everything in it, as far as it runs to its end."""
    yield program
    match program:
        case ["seq" | "gather", parts] | ["race", _, parts]:
            for part in parts:
                yield from parts_of(part)
        case ["within" | "scope", inner] | ["spawn", _, _, inner]:
            yield from parts_of(inner)


def waits_by_run(program: Program, run: int | None = None) -> Iterator[tuple[int, int | None]]:
    """Each signal that is waited for, with the number of the spawned child that waits (None: the first run)."""
    match program:
        case ["wait", n]:
            yield n, run
        case ["seq" | "gather", parts] | ["race", _, parts]:
            for part in parts:
                yield from waits_by_run(part, run)
        case ["within" | "scope", inner]:
            yield from waits_by_run(inner, run)
        case ["spawn", n, _, inner]:
            yield from waits_by_run(inner, n)


EFFECTS = ("step", "touch", "once", "fail", "stumble")
_NUMBERED = (*EFFECTS, "wait", "label", "spawn")


def _numbered(program: Program) -> Program:
    """The program with numbers by which its parts can be told apart."""
    numbers = iter(range(1_000))

    def visit(part: Program) -> Program:
        match part:
            case [("seq" | "gather") as kind, parts]:
                return [kind, [visit(p) for p in parts]]
            case ["race", winner, parts]:
                return ["race", winner, [visit(p) for p in parts]]
            case [("within" | "scope") as kind, inner]:
                return [kind, visit(inner)]
            case ["spawn", _, mode, inner]:
                return ["spawn", next(numbers), mode, visit(inner)]
            case [kind, _, *rest] if kind in _NUMBERED:
                return [kind, next(numbers), *rest]
        return part

    return visit(program)


def _leaves() -> st.SearchStrategy[Program]:
    seconds = st.integers(1, 500)
    return st.one_of(
        st.sampled_from(["step", "touch", "once", "fail", "wait", "label"]).map(lambda kind: [kind, 0]),
        st.integers(1, 2).map(lambda times: ["stumble", 0, times]),
        seconds.map(lambda s: ["sleep", s]),
        seconds.map(lambda s: ["lapse", s]),
        seconds.map(lambda s: ["late", s]),
    )


def _race(parts: tuple[Program, int, int]) -> Program:
    """A race that only one branch can win."""
    winner, before, after = parts
    return ["race", before, [["never"]] * before + [winner] + [["never"]] * after]


def _larger(inner: st.SearchStrategy[Program]) -> st.SearchStrategy[Program]:
    few = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        few.map(lambda parts: ["seq", parts]),
        few.map(lambda parts: ["gather", parts]),
        st.tuples(inner, st.integers(0, 1), st.integers(0, 1)).map(_race),
        inner.map(lambda part: ["within", part]),
        inner.map(lambda part: ["scope", part]),
        st.tuples(st.sampled_from(["await", "attached"]), inner).map(lambda pair: ["spawn", 0, *pair]),
    )


PROGRAMS = st.recursive(_leaves(), _larger, max_leaves=8).map(_numbered)
