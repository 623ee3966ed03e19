"""The named statements in the `.sql` files beside this one."""

from callboard.connections.statements import load


def statements(topic: str) -> dict[str, str]:
    """The statements of one file in `queries/`, by name."""
    return load(__package__, topic)
