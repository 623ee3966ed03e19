"""Large payloads, stored once per tenant under the hash of their content."""

from typing import Protocol


class Blobs(Protocol):
    """Reads blobs. They are written by the append that first refers to them."""

    async def get(self, tenant: str, hash_hex: str) -> bytes:
        """The content with that SHA-256. Raises NotFound."""
        ...
