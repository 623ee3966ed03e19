"""Addresses that are told of the ends of runs: what their form must be. Where they lead, who tells them looks at."""

from urllib.parse import urlsplit

from callboard.domain.errors import InputInvalid

_LONGEST = 2_000  # characters
_SCHEMES = ("http", "https")


def check_webhook(url: str) -> str:
    """An address that may be told of a run's end, as far as its form shows. Raises InputInvalid."""
    try:
        parts = urlsplit(url)
        bad = parts.scheme not in _SCHEMES or not parts.hostname or bool(parts.username or parts.password)
        bad = bad or parts.port == 0
    except ValueError:
        bad = True
    if bad or not url.isascii() or not url.isprintable() or " " in url or len(url) > _LONGEST:
        raise InputInvalid(
            "the webhook is no address that can be told",
            why="it must be http:// or https:// with a host, in ASCII, and carry no user or password",
            remedy="write https://host/path",
        )
    return url
