"""How often to try again, and how long to wait in between."""

import msgspec


class Retry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A retry policy: exponential back-off with full jitter, bounded.

    Args:
        attempts: calls in all, the first included; 1 means never again.
        first: seconds before the second call.
        factor: each further wait is this much longer.
        longest: no wait is longer than this, in seconds.
    """

    attempts: int = 3
    first: float = 0.2
    factor: float = 2.0
    longest: float = 30.0

    def wait(self, failures: int, chance: float) -> float:
        """Seconds to wait after that many failures; `chance` in [0, 1) spreads the callers (full jitter)."""
        return min(self.longest, self.first * self.factor ** (failures - 1)) * (0.5 + chance / 2)


NEVER = Retry(attempts=1)
