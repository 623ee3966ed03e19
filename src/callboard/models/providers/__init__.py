"""Models of real providers, behind one protocol.

    model = provide("openai:gpt-5-mini")
    model = provide("openai-compatible:my-model", url="http://127.0.0.1:8000/v1")

Each module in here is one provider, found by its name; other packages add theirs through the entry-point group
`callboard.providers`. See docs/providers.md for how to add one.
"""

from callboard.models.providers.bridge.adapter import Adapter
from callboard.models.providers.bridge.finding import known
from callboard.models.providers.bridge.provider import Account, Opened, Provider
from callboard.models.providers.bridge.providing import provide

__all__ = ["Account", "Adapter", "Opened", "Provider", "known", "provide"]
