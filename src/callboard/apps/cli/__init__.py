"""The command `callboard`. It starts fast: what a verb needs is imported when the verb runs."""

from callboard.apps.cli.program import main

__all__ = ["main"]
