"""Cron expressions in a time zone: the moments at which something is due."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from callboard.domain.errors import InputInvalid

_LONGEST = 200  # characters


class Cron:
    """Five fields (minute, hour, day, month, weekday), or six with seconds in front, read in a time zone.

    Moments are whole seconds since the Unix epoch. Where clocks are put forward or back, five fields with a fixed
    hour and minute mean once a day all the same (a time that does not exist is met right after the gap, one that
    exists twice the first time); all else goes by what the clock on the wall shows.

    Raises InputInvalid when the expression, or the zone, means nothing here, or no moment ever comes.
    """

    def __init__(self, expression: str, zone: str = "UTC") -> None:
        self.expression = expression
        self.zone = zone
        self._zone = _zone(zone)
        try:
            if len(expression) > _LONGEST:
                raise CronSimError(f"It is longer than {_LONGEST} characters")
            next(CronSim(expression, datetime(2024, 1, 1, tzinfo=UTC)))
        except (CronSimError, ValueError, AssertionError, TypeError, AttributeError) as error:
            raise InputInvalid(
                f"cron={str(expression)[:_LONGEST]!r} cannot be read",
                why=str(error) or type(error).__name__,
                remedy="write minute, hour, day, month and weekday, for example '0 9 * * 1-5'; seconds may go in front",
            ) from None
        except (StopIteration, OverflowError):
            raise _never(expression) from None

    def after(self, when: float) -> float:
        """The first moment after a time."""
        found = next(self._moments(when), None)
        if found is None:
            raise _never(self.expression)
        return found

    def at(self, when: float) -> float:
        """The first moment at a time or after it."""
        return self.after(math.ceil(when) - 1)

    def latest(self, when: float) -> float:
        """The last moment at a time or before it."""
        return self.last(when, 1)

    def last(self, when: float, count: int) -> float:
        """The earliest of the last `count` moments up to a time, that one included."""
        reach = count
        while not self.holds(when - reach, when, count):
            reach *= 2
        early, late = math.floor(when) - reach - 1, math.floor(when)  # it holds from `early` on, not from `late` on
        while late - early > 1:
            middle = (early + late) // 2
            early, late = (middle, late) if self.holds(middle, when, count) else (early, middle)
        return self.after(early)

    def holds(self, after: float, until: float, count: int) -> bool:
        """Whether there are so many moments between two times. Looks forwards only, see `_moments`."""
        nth = next(islice(self._moments(after), count - 1, None), math.inf)
        return nth <= until

    def _moments(self, when: float) -> Iterator[float]:
        """Moments after a time.

        Never asks the library for moments backwards: where clocks skip the end of a day it does not come back.
        """
        for found in CronSim(self.expression, self._local(when)):
            moment = found.timestamp()
            if moment > when:  # in the hour that an autumn night has twice, it may begin with one of the first
                yield moment
                when = moment

    def _local(self, when: float) -> datetime:
        return datetime.fromtimestamp(when, self._zone)


@lru_cache(maxsize=1_024)
def cron(expression: str, zone: str) -> Cron:
    """A Cron, read once."""
    return Cron(expression, zone)


def text(moment: float) -> str:
    """A moment as it stands in keys and labels: ISO 8601 in UTC, whatever the zone."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _never(expression: str) -> InputInvalid:
    return InputInvalid(
        f"cron={expression!r} is never due", why="no such day comes", remedy="correct the day or the month"
    )


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # also on a machine that knows no zones
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError) as error:
        raise InputInvalid(
            f"zone={name!r} is not a time zone that is known here",
            why=str(error),
            remedy="use an IANA name such as Europe/Berlin; where the system has none, install the package tzdata",
        ) from None
