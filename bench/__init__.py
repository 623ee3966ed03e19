"""Measures what Callboard costs, each figure beside what the same machine does without it: `python -m bench`."""
