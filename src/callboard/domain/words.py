"""What other people's exceptions say, made fit for a journal."""

_LONGEST = 2_000  # characters of somebody else's exception that a journal keeps


def words(error: BaseException) -> str:
    """What an exception says, also when it cannot say it; the beginning, when it says too much."""
    try:
        said = str(error)
    except Exception:
        return "(it has no words)"
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}… ({len(said):,} characters)"
