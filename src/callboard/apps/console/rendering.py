"""Pages out of templates: escaped, with one strict policy of what a browser may load.

A template's blocks are also its parts: a request with the header `Callboard-Part: rows` gets the block `rows` alone,
and 304 when that is what it has already. So every page can keep parts of itself up to date; see static/live.js.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from callboard.apps.console.assets import path_of
from callboard.apps.console.formats import FILTERS
from callboard.domain.principal import Kind
from callboard.runtime import Action, Desk

if TYPE_CHECKING:
    from fastapi import Request, Response
    from jinja2 import Environment

HOME = "/console"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_FLASH = "callboard-said"
_THEME = "callboard-theme"
_PARTS = (
    "agents",
    "charts",
    "empty",
    "facts",
    "fields",
    "icons",
    "inputs",
    "messages",
    "money",
    "pager",
    "status",
    "tables",
    "waterfall",
)

# What the side bar offers, in order: path, title, icon, the letter after `g`, and what one must be allowed to do.
_PLACES: tuple[tuple[str, str, str, str, Action | None], ...] = (
    ("", "Home", "home", "h", None),
    ("/runs", "Runs", "runs", "r", Action.RUNS_READ),
    ("/approvals", "Approvals", "approvals", "a", Action.APPROVALS_READ),
    ("/costs", "Costs", "costs", "c", Action.COSTS_READ),
    ("/health", "Health", "health", "e", Action.FLEET_READ),
    ("/catalog", "Agents and flows", "catalog", "f", Action.AGENTS_READ),
    ("/audit", "Audit", "audit", "u", Action.AUDIT_READ),
    ("/access", "Keys and people", "access", "k", Action.ACCESS_MANAGE),
    ("/settings", "Settings", "settings", "s", Action.SETTINGS_READ),
)


def page(request: "Request", desk: Desk | None, template: str, status: int = 200, **values: Any) -> "Response":
    """A page, or the part of it that was asked for.

    Args:
        request: as it came.
        desk: of who looks at it; None where nobody has logged in.
        template: its name below `templates/`.
        status: of the answer.
        values: what the template shows. It finds besides: `desk`, `may(action)`, `path`, `query` (of the URL, a dict),
            `csrf`, `theme`, `flash`, `places`; all of `parts/` as `ui`; the filters of formats.py; `Action`; the
            functions `asset(name)` and `link(path, query, **changes)`.
    """
    from fastapi import Response

    found = environment().get_template(template)
    flash = _flash(request)
    part = request.headers.get("Callboard-Part")
    shown = found.new_context(
        {
            "desk": desk,
            "may": (lambda _: False) if desk is None else desk.may,
            "path": request.url.path,
            "query": dict(request.query_params),
            "csrf": getattr(request.state, "csrf", None) or "",
            "theme": theme if (theme := request.cookies.get(_THEME)) in ("dark", "light") else "",
            "flash": None if part else flash,
            "places": [] if desk is None else [p for p in _PLACES if p[4] is None or desk.may(p[4])],
            "person": desk is not None and desk.principal.kind is Kind.PERSON,
        }
        | values
    )
    if part is not None and part in found.blocks:
        text = "".join(found.blocks[part](shown))
        return _part(request, text)
    text = "".join(found.root_render_func(shown))
    answer = Response(text, status, media_type="text/html", headers=_headers())
    if flash is not None:
        answer.delete_cookie(_FLASH, path=HOME)
    return answer


def part_wanted(request: "Request") -> str | None:
    """The part that is asked for, so that a page need not look up what the others show."""
    return request.headers.get("Callboard-Part")


def redirect(request: "Request", path: str, said: str = "", *, bad: bool = False) -> "Response":
    """Leads to another page of the console, which then says `said` once; `bad` where something was refused.

    A request of htmx is told to go there, too.
    """
    from fastapi import Response

    headers = {"HX-Redirect": path} if "HX-Request" in request.headers else {"Location": path}
    answer = Response(status_code=204 if "HX-Request" in request.headers else 303, headers=headers)
    if said:
        text = json.dumps({"text": said[:600], "bad": bad}).encode()
        answer.set_cookie(
            _FLASH,
            urlsafe_b64encode(text).decode(),
            max_age=60,
            path=HOME,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
    return answer


def link(path: str, query: dict[str, str] | None = None, **changes: str | None) -> str:
    """A path with a query: that of `query`, with these changes; None takes a part out. Names may end in `_`."""
    merged = dict(query or {}) | {name.rstrip("_"): value for name, value in changes.items()}
    said = urlencode({name: value for name, value in merged.items() if value not in (None, "")})
    return f"{path}?{said}" if said else path


@cache
def environment() -> "Environment":
    """The templates: whatever they show is escaped, and a name that is not there is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("callboard.apps.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(FILTERS)
    made.globals.update(asset=path_of, link=link, HOME=HOME, Action=Action)
    macros: dict[str, Any] = {}
    made.globals["ui"] = macros
    for name in _PARTS:
        module = made.get_template(f"parts/{name}.html").module
        macros |= {key: value for key, value in vars(module).items() if not key.startswith("_")}
    return made


def warm() -> None:
    """Makes all templates ready, which takes some tenths of a second: nobody's first page should wait for it."""
    made = environment()
    for name in made.list_templates(["html"]):
        made.get_template(name)


def _part(request: "Request", text: str) -> "Response":
    from fastapi import Response

    tag = f'"{sha256(text.encode()).hexdigest()[:24]}"'
    if request.headers.get("If-None-Match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(text, media_type="text/html", headers=_headers() | {"ETag": tag})


def _headers() -> dict[str, str]:
    return {
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Vary": "Callboard-Part, Cookie",
    }


def _flash(request: "Request") -> dict[str, Any] | None:
    text = request.cookies.get(_FLASH)
    if not text:
        return None
    try:
        found = json.loads(urlsafe_b64decode(text.encode()))
        return {"text": str(found["text"]), "bad": bool(found["bad"])}
    except (ValueError, KeyError, TypeError):
        return None
