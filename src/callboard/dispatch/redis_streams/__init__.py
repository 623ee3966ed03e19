"""A bell in Redis for large fleets: streams for what one worker shall answer, a channel for what all shall hear."""

from callboard.dispatch.redis_streams.bell import RedisBell

__all__ = ["RedisBell"]
