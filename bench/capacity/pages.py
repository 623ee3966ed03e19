"""Tables inside a page: each stands between `<!-- capacity: NAME -->` and `<!-- end -->`."""

import re

from bench.capacity.costs import Costs
from bench.capacity.tables import TABLES

_PLACE = re.compile(r"(<!-- capacity: (?P<name>[a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def renew(page: str, costs: Costs) -> str:
    """The page with its tables as the constants make them. Raises KeyError for a table that does not exist."""
    return _PLACE.sub(lambda found: f"{found[1]}{TABLES[found['name']](costs)}\n{found[3]}", page)
