"""Models by name: those that an app has, and those that a provider's adapter is made for when first asked for."""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping

from callboard.domain.errors import InputInvalid
from callboard.domain.words import words
from callboard.models.model import Model

_log = logging.getLogger("callboard.models")


class Models:
    """Finds models.

    Args:
        named: those that are there.
        provide: makes one of a reference such as `provider:model`; raises InputInvalid for one that it does not know.
        configured: names that `provide` knows beside references.

    Attributes:
        rests: epoch seconds before which somebody is better left alone, by `upstream:NAME` or by candidate, as this
            process has heard.
    """

    def __init__(
        self, named: Mapping[str, Model], provide: Callable[[str], Model], configured: Collection[str] = ()
    ) -> None:
        self._models = dict(named)
        self._provide = provide
        self._made: list[Model] = []
        self.rests: dict[str, float] = {}
        self._known = sorted({*named, *configured})

    def check(self, name: str) -> None:
        """Raises InputInvalid for a name that nobody has, or a reference to a provider that there is not. It imports no
        library and needs no key: those are missed only where the model is asked."""
        if name in self._known:
            return
        provider, colon, model = name.partition(":")
        if not colon:
            raise InputInvalid(
                f"no model is called {name!r}",
                remedy=f"app.model and [models] have: {', '.join(self._known) or 'none'}; or write a reference, "
                "provider:model",
            )
        from callboard.models.providers import known

        if provider not in known() or not model:
            raise InputInvalid(
                f"model={name!r} names no model of a provider", remedy=f"the providers are {', '.join(known())}"
            )

    def get(self, name: str) -> Model:
        """The model of that name or reference, the same one each time. Raises InputInvalid."""
        found = self._models.get(name)
        if found is None:
            self.check(name)
            found = self._models[name] = self._provide(name)
            self._made.append(found)
        return found

    async def close(self) -> None:
        """Lets go of the connections of those that were made here; whoever handed one in closes it. One that fails in
        that is logged: what is closed after it must be closed all the same."""
        for model in self._made:
            close: Callable[[], Awaitable[object]] | None = getattr(model, "close", None)
            try:
                if close is not None:
                    await close()
            except Exception as error:
                _log.warning("%s could not be closed: %s", model.name, words(error))
