"""What models cost: what a deployment has set, else what a model says of itself, else a price list with its version."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping

from callboard.models.info import ModelInfo, Price
from callboard.models.price_list import Listed, PriceList, dearest


class Prices:
    """Prices by model.

    Args:
        overrides: by `provider:model`, or by the model's name alone.
        now: the time in epoch seconds, for prices that change.
    """

    def __init__(self, overrides: Mapping[str, Price] | None = None, now: Callable[[], float] = time.time) -> None:
        self._overrides = dict(overrides or {})
        self._now = now
        self._list: PriceList | None = None
        self._loaded = False
        self._loading = threading.Lock()  # many calls may be the first
        self._found: dict[tuple[str, str], Listed | None] = {}

    async def find(self, info: ModelInfo) -> Price | None:
        """What a model costs at most, as `of` without a number of tokens says it, but never in the event loop's
        time: for reservations."""
        if not self._loaded and self._own(info) is None and info.provider:
            await asyncio.to_thread(self._load)
        return self.of(info)

    def of(self, info: ModelInfo, tokens: int | None = None) -> Price | None:
        """A model's price for calls with so many input tokens; for any call when that is not known, and then the
        dearest there is: of all tiers and hours, with everything put aside. None when nobody knows a price.

        The first to ask for a model of the list may wait 0.2 s for it; `find` does not keep others waiting.
        """
        own = self._own(info)
        if own is not None:
            return dearest((own,)) if tokens is None else own
        listed = self._listed(info)
        if listed is None:
            return None
        return listed.dearest if tokens is None else listed.at(tokens)

    def _own(self, info: ModelInfo) -> Price | None:
        for name in (f"{info.provider}:{info.name}", info.name):
            if name in self._overrides:
                return self._overrides[name]
        return info.price

    def _listed(self, info: ModelInfo) -> Listed | None:
        if not info.provider:
            return None
        key = info.provider, info.name
        found = self._found.get(key)
        if found is None and key in self._found:
            return None
        if found is None or found.until <= self._now():
            self._load()
            found = None if self._list is None else self._list.find(*key, self._now())
            self._found[key] = found
        return found

    def _load(self) -> None:
        with self._loading:
            if self._loaded:
                return
            try:
                self._list = PriceList()
            except ModuleNotFoundError as error:
                if (error.name or "").partition(".")[0] != "genai_prices":
                    raise
            self._loaded = True
