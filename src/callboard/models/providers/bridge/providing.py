"""From a reference to a model."""

from typing import Any

import msgspec

from callboard.domain.errors import InputInvalid
from callboard.models.info import ModelInfo
from callboard.models.providers.bridge.adapter import Adapter
from callboard.models.providers.bridge.finding import find, known
from callboard.models.providers.bridge.provider import Account

_KNOWN = ("abilities", "context", "max_output", "price")
_OPTIONS = ("abilities", "context", "hosted", "max_output", "media_hosts", "price", "region", "settings")


def provide(
    reference: str,
    *,
    url: str | None = None,
    api_key: str | None = None,
    upstream: str | None = None,
    connect: float = 10.0,
    stream: bool = True,
    **options: Any,
) -> Adapter:
    """A model of a provider. Nothing is sent and no library imported before its first use.

    Args:
        reference: `provider:model`, such as `openai:gpt-5-mini`; see `known()` for the providers.
        url: another address than the provider's own, in the form that its library takes.
        api_key: the key; None for the provider's variable in the environment, read on first use.
        upstream: under which name its limits and its breaker are kept; None for the provider's name.
        connect: seconds to reach the provider, for those whose library takes no such limit with each request.
        stream: False to ask for answers in one piece, and then `stream` yields them so.
        options: `context` and `max_output` in tokens, `abilities` and `price` where they are known better than
            here; `region` for a cloud that has such; `hosted`, names of tools that the provider runs by itself;
            `media_hosts`, from which this provider may be told to fetch images though they are not public, or not
            https; `settings`, a dict that goes with every request, in the words of the adapter library.

    Raises InputInvalid for a reference that names no provider or no model, an unknown option, a provider without
    the address that it needs, or one whose library is not installed.
    """
    name, colon, model = reference.partition(":")
    if not colon or not name or not model:
        raise InputInvalid(
            f"model={reference!r} is not of the form provider:model",
            remedy=f"the providers are {', '.join(known())}",
        )
    provider = find(name)
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise InputInvalid(f"{reference} has no option {', '.join(unknown)}", remedy=f"it has {', '.join(_OPTIONS)}")
    if provider.needs_url and not url:
        raise InputInvalid(f"{reference} has no address of its own", remedy="hand in url=, such as http://host/v1")
    if url and not url.startswith(("http://", "https://")):
        raise InputInvalid(f"{reference}: url={url!r} is no address", remedy="write one such as http://host/v1")
    told = {each: options[each] for each in _KNOWN if options.get(each) is not None}
    facts = {"provider": provider.prices or name, "upstream": upstream or name, "abilities": provider.abilities}
    try:
        info = msgspec.convert({"name": model, **facts, **told}, ModelInfo)
    except msgspec.ValidationError as error:
        raise InputInvalid(f"{reference}: {error}", remedy=f"see the options {', '.join(_KNOWN)}") from error
    return Adapter(provider, Account(reference, model, url, api_key, connect, options), info, stream=stream)
