"""What a provider, or its library in this process, would fetch because a message names its address.

Some providers fetch images themselves, and a model server of one's own does it from inside one's own network. For
others the library fetches them here. It has a guard of its own: public addresses only, looked up once and anew at each
redirect, 50 MiB a file. This one comes before either, and names the part.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from callboard.connections.reachable import Resolve, reachable
from callboard.domain.errors import Denied, ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Media
from callboard.models.model import ModelRequest


async def check_media(request: ModelRequest, hosts: Collection[str], resolve: Resolve | None = None) -> None:
    """Refuses a request that makes somebody fetch what is not public.

    Args:
        request: its media are https addresses, or bytes that it brings along.
        hosts: from which any http(s) address may be fetched.
        resolve: gives a host's addresses; the machine's resolver by default.

    Raises ModelFailed of kind INVALID_REQUEST, naming the part.
    """
    known: set[str] = set()
    for m, message in enumerate(request.messages):
        for p, part in enumerate(message.parts):
            if type(part) is not Media or part.ref in request.media or part.ref.startswith("blob:"):
                continue
            place = f"messages[{m}].parts[{p}].ref"
            try:
                address = urlsplit(part.ref)
                host, scheme = address.hostname or "", address.scheme
                where = f"{scheme}://{address.netloc}"
                if not host or scheme not in ("https", "http") or address.port == 0:
                    raise _refused(place, "it is no https address")
            except ValueError:
                raise _refused(place, "it is no https address") from None
            if host in hosts or where in known:
                continue
            if scheme != "https":
                raise _refused(place, f"http://{host} is not https")
            try:
                await reachable(where, (), resolve)
            except Denied as error:
                raise _refused(place, error.what) from None
            except OSError as error:
                raise _refused(place, f"{host} has no address ({error.strerror or error})") from None
            known.add(where)


def _refused(place: str, why: str) -> ModelFailed:
    return ModelFailed(
        f"{place} is not fetched",
        why=why,
        remedy="send an https address that everybody can reach, or name its host in the model's option media_hosts",
        kind=ErrorKind.INVALID_REQUEST,
        detail={"sent": False, "field": place},
    )
