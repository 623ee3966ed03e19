"""JSON documents of an issuer: over https, within a time, of a bounded size, and never from where a redirect leads."""

import asyncio
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from callboard.domain.errors import InputInvalid

_LIMIT = 512 * 1024  # bytes of a document
_TIME = 10.0  # seconds for all of one
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LONGEST = 2_000  # characters of an address
_PLAIN = {"Accept": "application/json", "Accept-Encoding": "identity"}  # unpacked it could be of any size


async def fetched(
    url: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """The status and the JSON object that an address answers: 200, or with a form also 400 and 401, which say why.

    Args:
        url: https, or http of this machine.
        form: what is posted; without one it is a GET.
        headers: beside those that each request has.

    Raises OSError, ValueError, TimeoutError, none of which says what was sent; InputInvalid where the client is not
    installed.
    """
    try:
        import httpx2
    except ModuleNotFoundError as error:
        raise missing(error) from error
    secured(url)
    body = b""
    try:
        async with (
            asyncio.timeout(_TIME),
            httpx2.AsyncClient(timeout=_TIME, follow_redirects=False) as client,
            client.stream(
                "GET" if form is None else "POST", url, data=form, headers=_PLAIN | (headers or {})
            ) as answer,
        ):
            status = answer.status_code
            if status != 200 and (form is None or status not in (400, 401)):
                raise OSError(f"{url} answered {status}")
            async for part in answer.aiter_raw():
                body += part
                if len(body) > _LIMIT:
                    raise ValueError(f"{url} answered more than {_LIMIT:,} bytes")
    except (TimeoutError, httpx2.TimeoutException) as error:
        raise TimeoutError(f"{url} did not answer within {_TIME:g} s") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise OSError(f"{url} was not reached: {type(error).__name__}") from error
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise ValueError(f"{url} answered {status} and no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{url} answered no object")
    return status, found


def secured(url: str) -> SplitResult:
    """An address that nobody on the way can read or change. Raises ValueError for any other."""
    address = urlsplit(url)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in _LOOPBACK):
        raise ValueError(f"{url[:_LONGEST]!r} is no https address")
    if not address.hostname or address.username is not None or address.fragment or len(url) > _LONGEST:
        raise ValueError(f"{url[:_LONGEST]!r} is no address of a service")
    if not url.isascii() or not url.isprintable() or any(each in url for each in ' "<>\\'):
        raise ValueError(f"{url[:_LONGEST]!r} has characters that an address has not")
    return address


def missing(error: ModuleNotFoundError) -> InputInvalid:
    """What is said where a library for tokens is not installed."""
    return InputInvalid(
        f"tokens need a library that is not installed: {error.name}", remedy='pip install "callboard[gateway]"'
    )
