"""What w10 compares, in words: the keys are `w10_API_WHAT_ROW`."""

from collections.abc import Iterator

APIS = {"chat": "OpenAI chat", "messages": "Anthropic"}
WHATS = {
    "call": ("processor time of a call", "ms"),
    "stream": ("processor time of a stream of 200 chunks", "ms"),
    "first": ("from the question to the first words", "ms"),
}
ROWS = {
    "sdk": "the provider's SDK",
    "library": "pydantic-ai's model class",
    "ours": "our adapter",
    "run": "a whole agent run, in memory",
}


def named() -> Iterator[tuple[str, str, str]]:
    """Each key with what it is and its unit."""
    for api, whose in APIS.items():
        for what, (words, unit) in WHATS.items():
            for row, who in ROWS.items():
                yield f"w10_{api}_{what}_{row}", f"{whose}, {words}: {who}", unit
