"""Which providers there are: the modules of this package, and what other packages register."""

import importlib
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

from callboard.domain.errors import InputInvalid
from callboard.models.providers.bridge.provider import Provider

PACKAGE = "callboard.models.providers"
GROUP = "callboard.providers"


def known() -> tuple[str, ...]:
    """The names of all providers, sorted; nothing is imported for it."""
    return tuple(sorted({*_own(), *_registered()}))


def find(name: str) -> Provider:
    """The provider of that name.

    Raises InputInvalid for a name that nobody has, or when the library that it needs is not installed.
    """
    if name in _own():
        found = importlib.import_module(f"{PACKAGE}.{name.replace('-', '_')}").PROVIDER
    elif name in (registered := _registered()):
        found = registered[name].load()
    else:
        raise InputInvalid(f"there is no provider {name!r}", remedy=f"take one of {', '.join(known())}")
    if not isinstance(found, Provider):
        raise InputInvalid(
            f"what is registered as provider {name!r} is no Provider",
            why=f"it is of type {type(found).__name__}",
            remedy=f"the entry point of group {GROUP} names a `Provider`",
        )
    missing = [library for library in found.libraries if not _installed(library)]
    if missing:
        raise InputInvalid(
            f"provider {name!r} needs {', '.join(missing)}, not installed here",
            remedy=f'pip install "callboard[{found.extra}]"',
        )
    return found


def _own() -> set[str]:
    package = importlib.import_module(PACKAGE)
    return {each.name.replace("_", "-") for each in pkgutil.iter_modules(package.__path__) if not each.ispkg}


def _registered() -> dict[str, EntryPoint]:
    return {each.name: each for each in entry_points(group=GROUP)}


def _installed(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except ModuleNotFoundError:  # the package that it is in is missing
        return False
