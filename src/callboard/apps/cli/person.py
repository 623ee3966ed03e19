"""Who sits at the desk: a name to record beside what was decided."""


def user(given: str | None) -> str:
    """The name that was given, else the user's. Raises InputInvalid where nobody has one."""
    from getpass import getuser

    from callboard.domain.errors import InputInvalid

    if given:
        return given
    try:
        return getuser()
    except (KeyError, OSError) as error:  # a container may run under a number without a name
        raise InputInvalid("nobody knows who decides", why="this user has no name", remedy="add --by NAME") from error


def sitting() -> str:
    """The user's name, or its number where it has no name."""
    from getpass import getuser
    from os import getuid

    try:
        return getuser()
    except (KeyError, OSError):
        return f"user {getuid()}"
