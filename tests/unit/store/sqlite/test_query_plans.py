"""What is done for every step or every run finds its rows by an index, however many rows there are."""

import re
from collections.abc import Iterator
from pathlib import Path

import apsw
import apsw.ext
import pytest

from callboard.domain.run import RunStatus
from callboard.store.runs import Search
from callboard.store.searching import wanted
from callboard.store.sqlite import SqliteStore
from callboard.store.sqlite.search import made
from callboard.store.sqlite.sql import statements

INDEXED = [
    ("journal", "read", "events_run (run=? AND seq>? AND seq<?)"),
    ("journal", "load", "events_run (run=?)"),
    ("claims", "claim", "runs_ready"),
    ("claims", "wake_due", "runs_wake (wake_at<?)"),
    ("claims", "next_due", "runs_wake"),
    ("claims", "ready", "runs_ready"),
    ("claims", "take_over", "runs_owner (owner=?)"),
    ("claims", "inboxes", "runs_owner (owner=?)"),
    ("claims", "candidates", "runs_ready"),
    ("claims", "backlog", "runs_ready"),
    ("claims", "executed", "runs_owner"),
    ("claims", "at_work", "runs_waiting"),
    ("claims", "live_children", "runs_parent (parent=?)"),
    ("claims", "withdraw", "approvals_run (run=?)"),
    ("inbox", "letters", "PRIMARY KEY (run=? AND seq>?)"),
    ("runs", "by_key", "runs_key (tenant=? AND flow=? AND key=?)"),
    ("runs", "by_keys", "runs_key (tenant=? AND flow=? AND key=?)"),
    ("runs", "rows", "(id=?)"),
    ("runs", "outcomes", "(id=?)"),
    ("runs", "outcomes", "events_run (run=? AND seq=?)"),
    ("runs", "number", "(id=?)"),
    ("runs", "get", "(id=?)"),
    ("runs", "last_seq", "events_run (run=?)"),
    ("runs", "purgeable", "runs_finished (finished_at<?)"),
    ("runs", "purgeable", "runs_fork (fork_of=?)"),
    ("runs", "purge_blobs", "events_blob (blob=?)"),
    ("approvals", "find", "approvals_open (tenant=?"),
    ("costs", "runs", "runs_costs (tenant=? AND <expr>>?)"),
    ("costs", "bills", "run_costs_ended (tenant=? AND day>?"),
    ("costs", "open_bills", "run_costs_open (tenant=?)"),
    ("runs", "purge_account", "PRIMARY KEY (tenant=? AND name=?)"),
    ("budgets", "holds", "PRIMARY KEY (run=? AND path=?)"),
    ("budgets", "release", "PRIMARY KEY (run=? AND path=?)"),
    ("budgets", "balances", "PRIMARY KEY (tenant=? AND name=?)"),
    ("budgets", "page", "PRIMARY KEY (tenant=? AND name>? AND name<?)"),
    ("answers", "get", "(tenant=? AND key=?)"),
    ("answers", "forget", "cached_answers_at (at<?)"),
    ("keys", "find", "PRIMARY KEY (id=?)"),
    ("keys", "stale", "PRIMARY KEY (id=?)"),
    ("keys", "list", "access_keys_tenant (tenant=?)"),
    ("people", "entered", "PRIMARY KEY (mac=?)"),
    ("people", "leave_all", "access_logins_subject (tenant=? AND kind=? AND subject=?)"),
    ("people", "forget", "access_logins_expires (expires_at<?)"),
    ("audit", "head", "PRIMARY KEY (tenant=?)"),
    ("audit", "find", "PRIMARY KEY (tenant=? AND number<?)"),
    ("audit", "find_by", "access_audit_actor (tenant=? AND actor=? AND number<?)"),
    ("audit", "find_about", "access_audit_object (tenant=? AND object=? AND number<?)"),
    ("audit", "read", "PRIMARY KEY (tenant=? AND number>?)"),
]
INDEXED += [
    ("journal", "news", "events_run (run=? AND seq>? AND seq<?)"),
    ("journal", "forks", "(id=?)"),
    ("runs", "purgeable", "(tenant=? AND run=?)"),
    ("sessions", "find", "chat_sessions_tenant (tenant=?"),
    ("sessions", "going", "(tenant=? AND session=?)"),
    ("sessions", "path", "chat_turns_id (tenant=? AND id=?)"),
    ("sessions", "due", "chat_turns_pending"),
    ("deliveries", "any", "webhook_deliveries_pending (due<?)"),
    ("deliveries", "take", "webhook_deliveries_pending (due<?)"),
    ("deliveries", "find", "webhook_deliveries_tenant (tenant=?"),
    ("deliveries", "find_of_run", "(tenant=? AND run=?)"),
]
SEARCHES = {
    "runs_tenant (tenant=?": Search(flows=("ord*",), labels={"a": "b"}, text="it broke", roots=True),
    "runs_error (tenant=?": Search(statuses=(RunStatus.FAILED, RunStatus.DEAD)),
    "runs_stuck (tenant=?": Search(statuses=(RunStatus.BLOCKED, RunStatus.DEAD), since=5.0, among=3),
    "runs_owner (owner>?)": Search(statuses=(RunStatus.RUNNING,)),
}
TOPICS = ["answers", "approvals", "audit", "budgets", "claims", "inbox", "journal", "keys", "people", "runs"]
TOPICS += ["deliveries", "sessions"]
# For people, by the page; of what is at work alone; of the first row; of tenants.
LISTS = {
    *(("runs", "find"), ("runs", "counts"), ("claims", "workers"), ("budgets", "limits"), ("budgets", "stale")),
    *(("keys", "any"), ("audit", "tenants")),
}


@pytest.fixture
async def db(tmp_path: Path) -> Iterator[apsw.Connection]:  # type: ignore[misc]
    path = str(tmp_path / "store.db")
    store = SqliteStore(path)
    await store.open()
    await store.close()
    db = apsw.Connection(path)
    yield db
    db.close()


def plan(db: apsw.Connection, topic: str, name: str) -> list[str]:
    """The lines of SQLite's plan for a statement."""
    return plan_of(db, statements(topic)[name])


def plan_of(db: apsw.Connection, statement: str) -> list[str]:
    """The same of a statement as it is written."""
    found = apsw.ext.query_info(db, statement, explain_query_plan=True).query_plan
    lines: list[str] = []
    steps = [found] if found else []
    while steps:
        step = steps.pop()
        lines.append(step.detail)
        steps += step.sub or []
    return lines


@pytest.mark.parametrize(("topic", "name", "index"), INDEXED)
def test_a_frequent_statement_uses_its_index(db: apsw.Connection, topic: str, name: str, index: str) -> None:
    lines = plan(db, topic, name)
    assert [line for line in lines if index in line], lines


def test_claiming_reads_the_best_runs_without_sorting_them(db: apsw.Connection) -> None:
    assert not [line for line in plan(db, "claims", "claim") if "ORDER BY" in line]


@pytest.mark.parametrize("index", SEARCHES)
def test_a_search_begins_where_there_are_fewest_runs(db: apsw.Connection, index: str) -> None:
    lines = plan_of(db, made("page", "acme", wanted(SEARCHES[index]), "some-run", 50)[0])
    assert [line for line in lines if index in line], lines


@pytest.mark.parametrize("topic", TOPICS)
def test_no_statement_walks_a_whole_table(db: apsw.Connection, topic: str) -> None:
    walks = {
        (name, line)
        for name in statements(topic)
        if (topic, name) not in LISTS
        for line in plan(db, topic, name)
        if re.match(r"SCAN (?!json_each|[jwh] VIRTUAL|due$|l$|CONSTANT|\(subquery|lanes$|workers$)", line)
        and not re.search(r"(runs_(ready|owner|waiting)|chat_turns_pending)", line)  # of what is at work, not what was
    }
    assert not walks


@pytest.mark.parametrize("topic", [*TOPICS, "search"])
def test_every_statement_of_a_file_is_loaded_under_its_own_name(topic: str) -> None:
    folder = Path(__file__).resolve().parents[4] / "src" / "callboard" / "store" / "sqlite" / "queries"
    text = (folder / f"{topic}.sql").read_text(encoding="utf-8")
    assert list(statements(topic)) == re.findall(r"^-- (\w+): ", text, re.MULTILINE)
    assert all(sql and ";" not in sql for sql in statements(topic).values())
