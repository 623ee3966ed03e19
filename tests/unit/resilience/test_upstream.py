"""A policy says what is wrong with it where it is declared."""

from typing import Any

import pytest

from callboard.domain.errors import InputInvalid
from callboard.domain.retry import Retry
from callboard.resilience.breaker import BreakerRules
from callboard.resilience.limiter import Rate
from callboard.resilience.upstream import Otherwise, upstream


def test_parts_may_be_written_as_dicts_or_as_what_they_are() -> None:
    written = upstream("shop", requests={"limit": 500, "period": 60}, breaker={"failures": 2}, otherwise="fail")
    assert written == upstream(
        "shop", requests=Rate(500, 60), breaker=BreakerRules(failures=2), otherwise=Otherwise.FAIL
    )


@pytest.mark.parametrize(
    ("policy", "named"),
    [
        ({"total": 0}, "total"),
        ({"first": -1.0}, "first"),
        ({"hedge": 0.0}, "hedge"),
        ({"patience": -1}, "patience"),
        ({"retry_share": 1.5}, "retry_share"),
        ({"concurrency": 0}, "concurrency"),
        ({"retry": Retry(attempts=0)}, "retry.attempts"),
        ({"breaker": {"failures": 0}}, "breaker.failures"),
        ({"breaker": {"open_for": 0}}, "breaker.open_for"),
        ({"requests": {"limit": -1}}, "limit"),
        ({"requests": 500}, "requests"),
        ({"concurency": 3}, "concurency"),
        ({"otherwise": "pray"}, "otherwise"),
    ],
)
def test_what_cannot_be_is_refused_by_name(policy: dict[str, Any], named: str) -> None:
    with pytest.raises(InputInvalid, match=named):
        upstream("shop", **policy)
