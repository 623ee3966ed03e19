"""What stands between a call and an upstream: shared limits and breakers, and where they are counted."""

from callboard.resilience.breaker import Breaker, BreakerRules
from callboard.resilience.counters import Counters
from callboard.resilience.limiter import Concurrency, Limiter, Permit, Rate

__all__ = ["Breaker", "BreakerRules", "Concurrency", "Counters", "Limiter", "Permit", "Rate"]
