"""Which calls rules strike: by number, by chance, by time, by name; and what files of rules may say."""

import asyncio
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from callboard.domain.errors import InputInvalid
from callboard.resilience.faults import DISPATCH, Fault, FaultKind, FaultRule, Faults, read_rules


def struck(faults: Faults, calls: int, upstream: str = "shop", target: str = "") -> list[int]:
    return [n for n in range(1, calls + 1) if faults.strike(upstream, target) is not None]


def rule(**fields: Any) -> FaultRule:
    return FaultRule(**{"kind": FaultKind.UNAVAILABLE, **fields})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7, 8]),
        ({"nth": 3}, [3]),
        ({"nth": (2, 7)}, [2, 7]),
        ({"every": 3}, [3, 6]),
        ({"limit": 2}, [1, 2]),
        ({"every": 2, "limit": 3}, [2, 4, 6]),
        ({"probability": 1.0}, [1, 2, 3, 4, 5, 6, 7, 8]),
        ({"upstream": "sh*"}, [1, 2, 3, 4, 5, 6, 7, 8]),
        ({"upstream": "bank"}, []),
        ({"target": "refund"}, []),
    ],
)
def test_which_of_eight_calls_are_struck(fields: dict[str, Any], expected: list[int]) -> None:
    assert struck(Faults([rule(**fields)]), 8) == expected


def test_nothing_is_struck_without_rules() -> None:
    faults = Faults()
    assert struck(faults, 100) == []
    assert faults.copies() == 1


def test_chance_comes_out_alike_for_a_seed_and_otherwise_for_another() -> None:
    def of(seed: int) -> list[int]:
        return struck(Faults([rule(probability=0.3)], chance=random.Random(seed)), 200)

    assert of(1) == of(1) != of(2)
    assert 30 < len(of(1)) < 90


def test_one_rule_s_chance_does_not_depend_on_what_others_do() -> None:
    lone = Faults(
        [rule(upstream="shop", probability=0.3), rule(upstream="bank", probability=0.5)], chance=random.Random(7)
    )
    mixed = Faults(
        [rule(upstream="shop", probability=0.3), rule(upstream="bank", probability=0.5)], chance=random.Random(7)
    )
    found = []
    for n in range(1, 101):
        mixed.strike("bank")
        if mixed.strike("shop") is not None:
            found.append(n)
    assert found == struck(lone, 100)


def test_a_rule_acts_in_its_time_only() -> None:
    now = [1_000.0]
    faults = Faults([rule(begin=10.0, duration=5.0)], now=lambda: now[0])
    found = []
    for second in range(20):
        now[0] = 1_000.0 + second
        if faults.strike("shop") is not None:
            found.append(second)
    assert found == [10, 11, 12, 13, 14]


def test_a_rule_for_each_target_counts_every_target_by_itself() -> None:
    faults = Faults([rule(nth=2, each=True)])
    for name in ("refund", "order", "refund", "refund", "order"):
        faults.strike("shop", name)
    assert [(fault.target, fault.number) for fault in faults.struck] == [("refund", 1), ("order", 2)]


def test_the_first_rule_that_fires_strikes_and_all_that_fit_count() -> None:
    faults = Faults([rule(nth=2), rule(kind=FaultKind.TIMEOUT, target="refund"), rule(kind=FaultKind.CUT)])
    kinds = [getattr(faults.strike("shop", target), "kind", None) for target in ("refund", "refund", "order")]
    assert kinds == [FaultKind.TIMEOUT, FaultKind.UNAVAILABLE, FaultKind.CUT]
    assert [(tally.seen, tally.struck) for tally in faults.tallies] == [(3, 1), (2, 1), (3, 1)]


def test_a_strike_carries_what_its_rule_says() -> None:
    faults = Faults([rule(kind=FaultKind.RATE_LIMITED, retry_after=7.0, after=1, seconds=0.5)], now=lambda: 42.0)
    fault = faults.strike("shop", "refund")
    assert fault is not None
    assert (fault.kind, fault.retry_after, fault.after, fault.seconds, fault.at) == ("429", 7.0, 1, 0.5, 42.0)
    assert (fault.upstream, fault.target, fault.number, fault.rule, fault.applied) == ("shop", "refund", 1, 0, False)


def test_threads_lose_and_double_no_count() -> None:
    faults = Faults([rule(every=2)])
    threads = [threading.Thread(target=struck, args=(faults, 500)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (faults.tallies[0].seen, faults.tallies[0].struck) == (4_000, 2_000)
    assert [fault.number for fault in faults.struck] == list(range(1, 2_001))


def test_hints_are_doubled_lost_or_left_alone() -> None:
    faults = Faults([rule(kind=FaultKind.DUPLICATE, nth=1), rule(kind=FaultKind.CUT, nth=2), rule(nth=3)])
    assert [faults.copies() for _ in range(4)] == [2, 0, 1, 1]
    assert [fault.upstream for fault in faults.struck] == [DISPATCH, DISPATCH]


async def test_what_hangs_ends_by_the_callers_limit_or_after_its_own_seconds() -> None:
    with pytest.raises(TimeoutError, match=r"\(fault 3\)"):
        await Fault(FaultKind.TIMEOUT, "shop", seconds=0.001, number=3).hang()
    with pytest.raises(TimeoutError) as raised:
        async with asyncio.timeout(0.01) as timer:
            await Fault(FaultKind.TIMEOUT, "shop").hang()
    assert timer.expired()
    assert "fault" not in str(raised.value)


async def test_a_killed_call_never_returns() -> None:
    died: list[str] = []
    fault = Fault(FaultKind.KILL, "shop", killer=lambda: died.append("now"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await fault.kill()
    assert died == ["now"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"probability": 0.0}, "probability=0.0 is not a number above 0"),
        ({"probability": 1.5}, "probability=1.5"),
        ({"nth": 0}, "nth=0 is not a number from 1"),
        ({"nth": ()}, r"nth=\(\)"),
        ({"every": 0}, "every=0"),
        ({"limit": 0}, "limit=0"),
        ({"seconds": -1.0}, "seconds=-1.0"),
        ({"begin": float("nan")}, "begin=nan"),
        ({"after": -1}, "after=-1"),
        ({"nth": 1, "every": 2}, "only one of"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InputInvalid, match=said):
        rule(**fields)


def test_rules_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(
        '[[rules]]\nkind = "429"\nupstream = "shop"\nprobability = 0.2\nretry_after = 3\n'
        '[[rules]]\nkind = "kill"\ntarget = "refund"\nnth = [1, 3]\nafter = 1\n'
    )
    assert read_rules(file) == (
        FaultRule(kind=FaultKind.RATE_LIMITED, upstream="shop", probability=0.2, retry_after=3.0),
        FaultRule(kind=FaultKind.KILL, target="refund", nth=(1, 3), after=1),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no list of rules"),
        ("rules = []", "no list of rules"),
        ("[[rules]]\nkind = '503'\n[other]\nx = 1", "no list of rules"),
        ("[[rules]]\nkind = '504'", r"rule 1: .*504"),
        ("[[rules]]\nkind = '503'\n[[rules]]\nkind = '503'\nnht = 1", r"rule 2: .*nht"),
        ("[[rules]]\nkind = '503'\nprobability = 2.0", "rule 1: .*probability=2.0"),
        ("[[rules]\n", "is not TOML"),
    ],
)
def test_a_file_that_says_nonsense_is_refused_with_the_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(InputInvalid, match=said) as refused:
        read_rules(file)
    assert str(file) in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="nowhere"):
        read_rules(tmp_path / "nowhere.toml")
