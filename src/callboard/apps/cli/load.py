"""Finds what `MODULE:NAME` means: a flow and its app, or an app."""

import importlib
import os
import sys
import traceback
from types import ModuleType

from callboard.domain.errors import CallboardError, InputInvalid
from callboard.runtime import Flow, Flows


def flow(target: str) -> tuple[Flow, Flows]:
    """The flow or agent `MODULE:FLOW`, and the app that it belongs to. Raises InputInvalid."""
    name, colon, attribute = target.partition(":")
    if not colon or not name or not attribute:
        raise InputInvalid(f"{target!r} names no flow", remedy="write MODULE:FLOW, for example support:handle")
    module = _module(name)
    found = getattr(module, attribute, None)
    chosen = found if isinstance(found, Flow) else getattr(found, "flow", None)
    if not isinstance(chosen, Flow):
        flows = [key for key, value in vars(module).items() if isinstance(value, Flow)]
        raise InputInvalid(
            f"module {name} has no flow {attribute!r}" if found is None else f"{target} is neither a flow nor an agent",
            remedy=f"it has: {', '.join(flows) or 'no flows; decorate one with @app.flow'}",
        )
    home = sys.modules.get(chosen.fn.__module__, module)
    for candidate in (*_apps(module).values(), *_apps(home).values()):
        if any(each is chosen for each in candidate.flows()):
            return chosen, candidate
    raise InputInvalid(
        f"no app in module {name} has the flow {chosen.name}", remedy="keep the App as a global of that module"
    )


def app(target: str) -> Flows:
    """The app `MODULE:APP`, or the only one in `MODULE`. Raises InputInvalid."""
    name, _, attribute = target.partition(":")
    apps = _apps(_module(name))
    if attribute:
        if attribute in apps:
            return apps[attribute]
        raise InputInvalid(f"module {name} has no app {attribute!r}", remedy=f"it has: {', '.join(apps) or 'none'}")
    if len({id(each) for each in apps.values()}) == 1:
        return next(iter(apps.values()))
    if not apps:
        raise InputInvalid(f"module {name} has no app", remedy='make one: app = callboard.App("name")')
    raise InputInvalid(f"module {name} has several apps", remedy=f"name one: {name}:{next(iter(apps))}")


def _module(name: str) -> ModuleType:
    folder = os.getcwd()
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise InputInvalid(
                f"there is no module {name}",
                why=f"{error.name} is neither installed nor in {folder}",
                remedy="change to the folder that holds it, or correct the name",
            ) from error
        if isinstance(error, CallboardError):  # a declaration that Callboard refused: it says itself what to do
            raise InputInvalid(
                f"module {name} cannot be imported: {error.what}{_place(error, folder)}",
                why=error.why,
                remedy=error.remedy,
            ) from error
        raise InputInvalid(
            f"module {name} cannot be imported",
            why=f"{type(error).__name__}: {error}{_place(error, folder)}",
            remedy=f"correct it; python -m {name} shows more",
        ) from error


def _place(error: BaseException, folder: str) -> str:
    """Where in the user's own files it happened."""
    if isinstance(error, SyntaxError):
        return ""  # it says so itself
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(folder + os.sep)]
    return f" ({os.path.relpath(own[-1].filename, folder)}, line {own[-1].lineno})" if own else ""


def _apps(module: ModuleType) -> dict[str, Flows]:
    """The module's globals that have flows to give."""
    return {
        key: value
        for key, value in vars(module).items()
        if not isinstance(value, type | ModuleType) and callable(getattr(value, "flows", None))
    }
