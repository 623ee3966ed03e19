"""The names that one fleet's bell has in Redis."""

import zlib

from callboard.dispatch.bell import Hint
from callboard.domain.errors import InputInvalid

GROUP = "workers"
_BANDS = ("high", "normal", "low")


class Keys:
    """All carry the namespace as their hash tag: in a cluster they lie on one node, where one read sees them all."""

    def __init__(self, namespace: str, shards: int) -> None:
        if not namespace or set(namespace) & set("{} \n"):
            raise InputInvalid(f"namespace={namespace!r} cannot stand in a key", remedy="use letters, digits and -_.:")
        if shards < 1:
            raise InputInvalid(f"shards={shards} is not a positive number", remedy="use 1 or more")
        self._prefix = f"callboard:{{{namespace}}}"
        self._shards = shards
        self.channel = f"{self._prefix}:news"
        self.streams = [self._stream(shard, band) for band in _BANDS for shard in range(shards)]

    def stream(self, hint: Hint) -> str:
        """Where a READY hint goes: hints for low priorities never stand in the way of higher ones."""
        band = _BANDS[0 if hint.priority > 0 else 1 if hint.priority == 0 else 2]
        return self._stream(zlib.crc32(hint.run_id.encode()) % self._shards, band)

    def _stream(self, shard: int, band: str) -> str:
        return f"{self._prefix}:ready:{shard}:{band}"
