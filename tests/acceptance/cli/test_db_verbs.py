"""The schema of a PostgreSQL store is brought up to date and shown from the command line."""

import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from callboard.store.postgres.migrate import known
from tests.acceptance.cli.desk import Desk

PARTS = len(known())


@pytest.fixture
def url(new_database: Callable[..., str]) -> str:
    return new_database("db_verbs")


def test_an_empty_database_is_migrated_once(desk: Desk, url: str) -> None:
    assert desk("db", "migrate", "--store", url).stdout.count("applied 0") == PARTS
    assert "nothing to do" in desk("db", "migrate", "--store", url).stdout
    assert json.loads(desk("db", "migrate", "--store", url, "--json").stdout) == []


def test_the_status_shows_what_is_missing_and_then_when_it_was_applied(desk: Desk, url: str) -> None:
    assert desk("db", "status", "--store", url).stdout.count("not yet") == PARTS
    desk("db", "migrate", "--store", url, "--phase", "before")
    found = json.loads(desk("db", "status", "--store", url, "--json").stdout)
    assert found[0]["part"] == "0001 before"
    assert all(each["applied_at"] > 0 for each in found if each["part"].endswith("before"))


def test_a_phase_that_is_none_is_refused(desk: Desk, url: str) -> None:
    assert "before, after, all" in desk("db", "migrate", "--store", url, "--phase", "later", expect=2).stderr


def test_a_file_needs_no_migration(desk: Desk) -> None:
    for verb in ("migrate", "status"):
        assert "needs no migration" in desk("db", verb, "--store", "sqlite:///x.db", expect=2).stderr


def test_a_server_that_is_not_there_is_named_without_its_password(desk: Desk) -> None:
    error = desk("db", "migrate", "--store", "postgresql://me:secret@127.0.0.1:1/x", expect=3).stderr
    assert "127.0.0.1:1" in error
    assert "secret" not in error


def test_a_user_who_may_not_is_told_so_without_the_password(desk: Desk, url: str, postgres: object) -> None:
    desk("db", "migrate", "--store", url)
    worker = postgres.roles(url).worker  # type: ignore[attr-defined]
    assert "nothing to do" in desk("db", "migrate", "--store", worker).stdout
    postgres.execute("DELETE FROM callboard_schema WHERE number = 4", url=url)  # type: ignore[attr-defined]
    error = desk("db", "migrate", "--store", worker, expect=3).stderr
    assert "callboard db migrate" in error
    assert (urlsplit(worker).password or "") not in error
