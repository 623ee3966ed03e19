"""The console's static files: each under a path that changes with its content, so that browsers may keep it."""

import gzip
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec

PREFIX = "/console/static"
_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


class Asset(msgspec.Struct, frozen=True):
    """One file: its content, the same packed, what it is, and the path at which it is served."""

    content: bytes
    packed: bytes
    media_type: str
    path: str


@cache
def assets() -> dict[str, Asset]:
    """All files, by their name below `static/`."""
    return dict(_read(files("callboard.apps.console") / "static", ""))


@cache
def by_path() -> dict[str, Asset]:
    """All files, by the path at which they are served."""
    return {asset.path: asset for asset in assets().values()}


def path_of(name: str) -> str:
    """Where a file is served. Raises KeyError for one that is not there."""
    return assets()[name].path


def _read(folder: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    found: list[tuple[str, Asset]] = []
    for each in folder.iterdir():
        name = f"{prefix}{each.name}"
        if each.is_dir():
            found += _read(each, f"{name}/")
            continue
        media_type = _TYPES.get(each.name.rpartition(".")[2])
        if media_type is not None:
            content = each.read_bytes()
            digest = sha256(content).hexdigest()[:16]
            packed = gzip.compress(content, mtime=0)
            found.append((name, Asset(content, packed, media_type, f"{PREFIX}/{digest}/{name}")))
    return found
