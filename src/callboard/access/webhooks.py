"""Messages to webhooks: how they are signed, and where they may go.

The form is that of the Standard Webhooks specification 1.0 (https://www.standardwebhooks.com), symmetric scheme `v1`.
"""

import asyncio
import base64
import hmac
import socket
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from ipaddress import IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from callboard.access.secret import Secret
from callboard.domain.errors import Denied, InputInvalid

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_LONGEST = 2_000  # characters of an address
_PORTS = {"http": 80, "https": 443}
# IPv4 in a form that is no longer used, and NAT64 of a network of one's own: where they lead, nobody can tell.
_NEVER = (IPv6Network("::/96"), IPv6Network("64:ff9b:1::/48"))
_CARRIES_IPV4 = IPv6Network("64:ff9b::/96")  # NAT64: the last 32 bits are the address that is meant


async def signing_key(secret: Secret, tenant: str) -> bytes:
    """With what messages of a tenant are signed: 32 bytes. Raises as Secret.key does."""
    return hmac.digest(await secret.key("webhooks"), tenant.encode(), sha256)


def shown(key: bytes) -> str:
    """A signing key as receivers are given it."""
    return "whsec_" + base64.b64encode(key).decode()


def signed(key: bytes, message_id: str, at: int, body: bytes) -> dict[str, str]:
    """The headers of one message. `at` is in whole epoch seconds."""
    mac = hmac.digest(key, f"{message_id}.{at}.".encode() + body, sha256)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }


def check_webhook(url: str) -> str:
    """An address that may be told of a run's end, as far as its form shows. Raises InputInvalid."""
    try:
        parts = urlsplit(url)
        bad = parts.scheme not in _PORTS or not parts.hostname or bool(parts.username or parts.password)
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


async def reachable(url: str, hosts: Sequence[str], resolve: Resolve | None = None) -> str:
    """The address to connect to for a webhook: looked up once, so that no second answer can lead elsewhere.

    Args:
        url: as `check_webhook` lets it pass.
        hosts: names that may have private addresses.
        resolve: gives the addresses of a host and a port.

    Raises Denied when any of its addresses is not a public one; OSError when it has none.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    found = await (resolve or _resolve)(host, parts.port or _PORTS[parts.scheme])
    if not found:
        raise OSError(f"{host} has no address")
    if host not in hosts and not all(_public(address) for address in found):
        raise Denied(
            f"{host} has an address that is not public",
            why="a webhook could reach what only this machine may",
            remedy="if that is meant, name the host in CALLBOARD_GATEWAY_WEBHOOK_HOSTS",
        )
    return found[0]


def _public(text: str) -> bool:
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
