"""From where a request really comes: what proxies say of it is believed only of those that are named."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from callboard.domain.errors import InputInvalid

_Network = IPv4Network | IPv6Network
_HOPS = 16  # an address list longer than this is somebody's game


class Addresses:
    """Reads `X-Forwarded-For` and `X-Forwarded-Proto`.

    Args:
        proxies: addresses or networks (`10.0.0.0/8`) of proxies that are believed.

    Raises:
        InputInvalid: one of them is neither.
    """

    def __init__(self, proxies: Sequence[str]) -> None:
        self._trusted: list[_Network] = []
        for text in proxies:
            try:
                self._trusted.append(ip_network(text, strict=False))
            except ValueError:
                raise InputInvalid(
                    f"proxies: {text!r} is neither an address nor a network", remedy="write 10.0.0.7 or 10.0.0.0/8"
                ) from None

    def client(self, peer: str | None, forwarded: Sequence[str]) -> str:
        """The address of who asks; `local` on a Unix socket.

        Args:
            peer: the address at the other end of the connection.
            forwarded: all `X-Forwarded-For` of the request: a proxy may add a line of its own behind those that it got.
        """
        if peer is None:
            return "local"
        if not self.trusts(peer):
            return peer
        found = peer
        # The nearest proxy wrote the last address: go back from there while those who wrote them are believed.
        for hop in reversed(",".join(forwarded).split(",")[-_HOPS:]):
            address = _address(hop)
            if address is None:
                break
            found = str(address)
            if not self.trusts(found):
                break
        return found

    def scheme(self, peer: str | None, forwarded: Sequence[str], own: str) -> str:
        """`http` or `https`, as the client used it; what the nearest proxy says in `X-Forwarded-Proto`, `forwarded`."""
        if peer is not None and self.trusts(peer):
            told = ",".join(forwarded).rpartition(",")[2].strip().lower()
            if told in ("http", "https"):
                return told
        return own

    def trusts(self, address: str) -> bool:
        """Whether what comes from there is believed."""
        if not self._trusted:
            return False
        found = _address(address)
        return found is not None and any(found in network for network in self._trusted)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
