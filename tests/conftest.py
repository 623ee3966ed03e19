"""What every test may ask for."""

import signal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["tests.servers.fixtures"]

# A machine that stands still for a moment must not fail a property: how long an example takes is no part of any.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

# A run in the background of a script inherits that interrupts are ignored, and hands that on to the processes that
# the tests start in order to interrupt them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests below one of these share what is dear to start (a browser and its server, tables full of rows), and so run in
# one process. Marks cannot say it: pytest-xdist 3.8 reads groups off names of tests that pytest 9.2 keeps elsewhere.
TOGETHER = ("tests/browser/", "tests/fleet/test_query_plans.py", "tests/fleet/test_door_plans.py")


class _Together(LoadScopeScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        return next((place for place in TOGETHER if nodeid.startswith(place)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deals the tests out one by one, but for those that belong together."""
    return _Together(config, log)
