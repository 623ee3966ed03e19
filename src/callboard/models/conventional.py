"""Providers as OpenTelemetry's conventions for generative AI name them (`gen_ai.provider.name`)."""

from functools import cache
from pathlib import Path

import msgspec

_NAMES = Path(__file__).parent / "providers" / "conventions.json"


def conventional(provider: str) -> str:
    """A provider's name by the conventions; its own where they agree, or have none for it."""
    return _names().get(provider, provider)


@cache
def _names() -> dict[str, str]:
    return msgspec.json.decode(_NAMES.read_bytes(), type=dict[str, str])
