"""Worked examples, each a package of its own."""
