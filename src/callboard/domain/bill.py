"""Whom money was spent for: one agent's calls of one model."""

import msgspec

from callboard.domain.usage import NOTHING, Usage


class Bill(msgspec.Struct, frozen=True, gc=False):
    """What one agent's calls of one model come to.

    Attributes:
        usage: tokens and money.
        agent: who asked; "" for the flow itself.
        model: who was asked, as the app names it; "" where nobody was.
        calls: how many were answered, or charged though they failed.
        by_provider: micro-dollars that it would have cost more, had the provider kept nothing of the input. Below zero
            where keeping cost more than it saved.
        by_answers: micro-dollars that answers cost which were kept from earlier equal requests.
    """

    usage: Usage = NOTHING
    agent: str = ""
    model: str = ""
    calls: int = 0
    by_provider: int = 0
    by_answers: int = 0

    def __add__(self, other: "Bill") -> "Bill":
        """Both together, for whom the first one is."""
        return Bill(
            self.usage + other.usage,
            self.agent,
            self.model,
            self.calls + other.calls,
            self.by_provider + other.by_provider,
            self.by_answers + other.by_answers,
        )


FREE = Bill()
