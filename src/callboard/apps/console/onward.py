"""Where a log-in leads: to a page of this console, and nowhere else, whatever the address says."""

import re

from callboard.apps.console.rendering import HOME

_LONGEST = 2_000
# Below /console, of plain segments, none of them empty or of dots alone. What is encoded stays encoded, and nothing may
# be encoded that another reader of the address could take for a slash, a backslash, a dot or a control character.
_PLAIN = r"(?:[A-Za-z0-9_~!$&'()*+,;=:@-]|\.|%(?!2[eEfF]|5[cC]|[01][0-9A-Fa-f]|7[fF])[0-9A-Fa-f]{2})"
_PATH = re.compile(rf"{HOME}(?:/(?!\.{{1,2}}(?:/|\Z)){_PLAIN}+)*/?")
_QUERY = re.compile(r"[A-Za-z0-9_~!$&'()*+,;=:@/.?%-]*")


def onward(asked: str | None) -> str:
    """The path that was asked for if it is one of this console's pages behind the log-in, else its first page."""
    if not asked or len(asked) > _LONGEST:
        return HOME
    path, _, query = asked.partition("?")
    if _PATH.fullmatch(path) is None or _QUERY.fullmatch(query) is None:
        return HOME
    if path.rstrip("/") in (f"{HOME}/logout", f"{HOME}/enter") or f"{path}/".startswith(f"{HOME}/login/"):
        return HOME
    return asked
