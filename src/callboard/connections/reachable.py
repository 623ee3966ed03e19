"""Which addresses on the internet may be called for somebody else: none that only this machine or its network has."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from ipaddress import IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from callboard.domain.errors import Denied

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]  # the addresses of a host and a port

_PORTS = {"http": 80, "https": 443}
# IPv4 in a form that is no longer used, and NAT64 of a network of one's own: where they lead, nobody can tell.
_NEVER = (IPv6Network("::/96"), IPv6Network("64:ff9b:1::/48"))
_CARRIES_IPV4 = IPv6Network("64:ff9b::/96")  # NAT64: the last 32 bits are the address that is meant


async def reachable(url: str, hosts: Collection[str], resolve: Resolve | None = None) -> str:
    """The address to connect to for an http(s) URL: looked up once, so that no second answer can lead elsewhere.

    Args:
        url: of the form that callboard.domain.webhook.check_webhook lets pass.
        hosts: names that may have private addresses.
        resolve: the machine's resolver by default.

    Raises Denied when any of its addresses is not a public one; OSError when it has none.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    found = await (resolve or _resolve)(host, parts.port or _PORTS[parts.scheme])
    if not found:
        raise OSError(f"{host} has no address")
    if host not in hosts and not all(public(address) for address in found):
        raise Denied(f"{host} has an address that is not public", why="only this machine or its network may reach it")
    return found[0]


def public(text: str) -> bool:
    """Whether an address is one that all of the internet has, also where it carries another one inside."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.sixtofour is not None or address.teredo is not None or any(address in each for each in _NEVER):
            return False
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address in _CARRIES_IPV4:
            address = ip_address(int(address) & 0xFFFF_FFFF)
    return address.is_global and not address.is_multicast


async def _resolve(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]
