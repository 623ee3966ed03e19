"""Names that strangers send, before a database is asked for them."""


def may_be_there(*names: str | None) -> bool:
    """Whether rows can have such names at all. No database holds a NUL character in a text (PostgreSQL), or half of
    a surrogate pair: who asks for one is told that there is none, and gets no error of the database."""
    try:
        return not any(b"\0" in name.encode() for name in names if name is not None)
    except UnicodeEncodeError:
        return False
