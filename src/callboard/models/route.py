"""A route: a name by which agents ask for a model, and the candidates behind it."""

from enum import StrEnum

import msgspec

from callboard.domain.errors import InputInvalid
from callboard.domain.usage import micros


class Order(StrEnum):
    """Which of the candidates that can serve a request is asked first."""

    LISTED = "listed"
    COST = "cost"
    LATENCY = "latency"
    QUALITY = "quality"


class Candidate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A model of a route, and what it is for.

    Attributes:
        model: a model's name as the app has it, or a reference such as `provider:model`.
        tasks: kinds of task that it is for (an agent's `task`); any if empty.
        tiers: callers' tiers (a run's label `tier`) that it is for; any if empty.
        context: tokens that it is given at most; by default what its window holds.
        quality: from 0 to 1, as judged by experiments; None if nobody has judged it.
        latency: seconds to its first token, until this process has seen for itself.
    """

    model: str
    tasks: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    context: int | None = None
    quality: float | None = None
    latency: float | None = None

    def __post_init__(self) -> None:
        if not self.model:
            raise InputInvalid("a candidate without a model", remedy="name it, or write a reference")
        if self.context is not None and self.context < 1:
            raise InputInvalid(f"candidate {self.model}: context={self.context!r} is no number of tokens above 0")
        _share(f"candidate {self.model}", "quality", self.quality)
        _seconds(f"candidate {self.model}", "latency", self.latency)


class Route(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Candidates and rules. What a request needs comes first, then targets, then the order.

    Attributes:
        name: such as `fast`, `smart`, `embedding`.
        candidates: in order of preference.
        order: which of those that fit is asked first.
        max_usd: dollars as text that one call may cost by estimate; dearer candidates come last.
        max_latency: seconds to the first token; slower candidates come last.
        min_quality: candidates judged below come last.
    """

    name: str
    candidates: tuple[Candidate, ...]
    order: Order = Order.LISTED
    max_usd: str | None = None
    max_latency: float | None = None
    min_quality: float | None = None

    def __post_init__(self) -> None:
        if not self.candidates:
            raise InputInvalid(f"route {self.name} has no candidates", remedy="name at least one model")
        names = [each.model for each in self.candidates]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise InputInvalid(f"route {self.name} names {twice} twice", remedy="name each model once")
        if self.max_usd is not None:
            micros(self.max_usd)
        _seconds(f"route {self.name}", "max_latency", self.max_latency)
        _share(f"route {self.name}", "min_quality", self.min_quality)


def route(name: str, *candidates: Candidate | str, **rules: object) -> Route:
    """A route of candidates, of which a bare text names the model. Raises InputInvalid."""
    listed = tuple([Candidate(model=each) if isinstance(each, str) else each for each in candidates])
    try:
        return msgspec.convert({"name": name, "candidates": listed, **rules}, Route)
    except msgspec.ValidationError as error:
        raise InputInvalid(f"route {name}: {error}", remedy="see callboard.models.Route") from error


def _share(whose: str, field: str, value: float | None) -> None:
    if value is not None and not 0 <= value <= 1:
        raise InputInvalid(f"{whose}: {field}={value!r} is not a number from 0 to 1", remedy=f"change {field}")


def _seconds(whose: str, field: str, value: float | None) -> None:
    if value is not None and not 0 < value < 1e9:
        raise InputInvalid(f"{whose}: {field}={value!r} is not a number of seconds above 0", remedy=f"change {field}")
