"""What the list of runs is narrowed to: read from an address, and written into one."""

from collections.abc import Mapping
from typing import Any

import msgspec

from callboard.domain.errors import InputInvalid
from callboard.domain.run import RunStatus
from callboard.runtime import Search

SPANS = {"1h": 3_600.0, "24h": 86_400.0, "7d": 7 * 86_400.0, "30d": 30 * 86_400.0, "all": None}
USUAL = "7d"
_LONGEST = 500  # characters of one filter


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """The filters of an address; all are texts as they stand there.

    Attributes:
        status: one status.
        flow: a flow's name or a pattern.
        kind: of the error.
        label: `name=value`.
        by: who started it.
        span: one of SPANS: since when runs were created.
        q: words.
        top: `1` without child runs.
    """

    status: str = ""
    flow: str = ""
    kind: str = ""
    label: str = ""
    by: str = ""
    span: str = USUAL
    q: str = ""
    top: str = ""

    @property
    def query(self) -> dict[str, str]:
        """As an address has them: without those that say nothing."""
        found = {name: str(value) for name, value in msgspec.structs.asdict(self).items() if value}
        if found.get("span") == USUAL:
            del found["span"]
        return found

    def without(self, *names: str) -> "Filters":
        """The same without some of them."""
        changed: dict[str, Any] = {name: USUAL if name == "span" else "" for name in names}
        return msgspec.structs.replace(self, **changed)

    def search(self, now: float) -> Search:
        """What to look for. Raises InputInvalid for a filter that means nothing."""
        seconds = SPANS[self.span]
        name, equals, value = self.label.partition("=")
        if self.label and (not equals or not name):
            raise InputInvalid(f"label={self.label!r} is not a name and a value", remedy="write label=team=red")
        return Search(
            statuses=(RunStatus(self.status),) if self.status else (),
            flows=(self.flow,) if self.flow else None,
            labels={name: value} if self.label else {},
            kind=self.kind or None,
            by=self.by or None,
            since=None if seconds is None else now - seconds,
            text=self.q,
            roots=bool(self.top),
        )


def filters(query: Mapping[str, str]) -> Filters:
    """The filters of an address. Raises InputInvalid, naming what is wrong."""
    given = {name: query.get(name, "").strip() for name in Filters.__struct_fields__}
    if long := next((name for name, value in given.items() if len(value) > _LONGEST), None):
        raise InputInvalid(f"{long} is longer than {_LONGEST} characters", remedy="look for less")
    given["span"] = given["span"] or USUAL
    for name, known in (("status", list(RunStatus)), ("span", list(SPANS))):
        if given[name] and given[name] not in known:
            raise InputInvalid(f"{name}={given[name]!r} is unknown", remedy=f"use one of {', '.join(known)}")
    return Filters(**given)
