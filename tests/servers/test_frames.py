"""Where requests and answers end, whatever the pieces in which their bytes come."""

import pytest

from tests.servers.postgres_frames import PostgresFraming
from tests.servers.redis_frames import RedisFraming
from tests.servers.requests import Framing, Request, commits, executes


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


START = (8).to_bytes(4, "big") + (196_608).to_bytes(4, "big")
READY = message(b"Z", b"I")
PREPARE = message(b"P", b"s1\0INSERT\0\0\0") + message(b"D", b"Ss1\0") + message(b"H")
RUN = message(b"B", b"\0s1\0") + message(b"E", b"\0\0\0\0\0") + message(b"S")
PREPARED = message(b"1") + message(b"t", b"\0\0") + message(b"n")
RAN = message(b"2") + message(b"C", b"INSERT 0 1\0") + READY


def begun() -> PostgresFraming:
    framing = PostgresFraming()
    framing.asked(START)
    framing.answered(message(b"R", b"\0\0\0\0") + READY)
    return framing


def asked(framing: Framing, data: bytes, piece: int) -> list[tuple[str, tuple[str, ...]]]:
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    found = [one for part in pieces for one in framing.asked(part)]
    assert b"".join(one.data for one in found) == data
    return [(one.kind, one.statements) for one in found if one.kind is not None]


def ends(framing: Framing, data: bytes, piece: int) -> int:
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    found = [one for part in pieces for one in framing.answered(part)]
    assert data.startswith(b"".join(one.data for one in found))
    return sum(one.ends for one in found)


@pytest.mark.parametrize("piece", [1, 3, 10_000])
def test_postgres_requests_are_known_by_what_they_execute(piece: int) -> None:
    framing = begun()
    assert asked(framing, PREPARE + RUN + message(b"Q", b"COMMIT;\0"), piece) == [
        ("flush", ()),
        ("sync", ("INSERT",)),
        ("query", ("COMMIT;",)),
    ]
    assert [ends(framing, answer, piece) for answer in (PREPARED, RAN, message(b"C", b"COMMIT\0") + READY)] == [1, 1, 1]


def test_a_postgres_answer_ends_only_when_all_of_it_has_come() -> None:
    framing = begun()
    asked(framing, PREPARE + RUN, 10_000)
    assert ends(framing, PREPARED[:-1], 1) == 0
    assert [one.ends for one in framing.answered(PREPARED[-1:] + RAN[:-1])] == [True, False, False]
    assert [one.ends for one in framing.answered(RAN[-1:])] == [True]


def test_a_postgres_error_ends_a_flushed_batch_and_what_follows_ends_by_itself() -> None:
    framing = begun()
    asked(framing, PREPARE + message(b"S"), 10_000)
    assert ends(framing, message(b"E", b"SERROR\0\0"), 1) == 1
    assert ends(framing, READY, 1) == 1


@pytest.mark.parametrize("piece", [1, 3, 10_000])
def test_redis_commands_of_a_pipeline_are_requests_each(piece: int) -> None:
    framing = RedisFraming()
    get, ping = b"*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n", b"*1\r\n$4\r\nPING\r\n"
    kinds = [kind for kind, _ in asked(framing, get + ping, piece)]
    assert kinds == ["command", "command"]


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        (b"+OK\r\n", 1),
        (b"$-1\r\n", 1),
        (b"*-1\r\n", 1),
        (b"_\r\n", 1),
        (b"$4\r\n\r\n\r\n\r\n", 1),
        (b"*2\r\n*1\r\n:1\r\n%1\r\n+k\r\n$1\r\nv\r\n", 1),
        (b">2\r\n+a\r\n+b\r\n:1\r\n", 1),
        (b"|1\r\n+k\r\n+v\r\n-ERR no\r\n", 1),
        (b"*2\r\n:1\r\n", 0),
        (b"$4\r\nabc", 0),
    ],
)
@pytest.mark.parametrize("piece", [1, 4, 10_000])
def test_redis_answers_end_where_their_value_does(answer: bytes, count: int, piece: int) -> None:
    framing = RedisFraming()
    found = [one for at in range(0, len(answer), piece) for one in framing.answered(answer[at : at + piece])]
    assert sum(one.ends for one in found) == count


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (("COMMIT;",), (True, True)),
        (("commit",), (True, True)),
        (("INSERT INTO commits",), (True, False)),
        (("BEGIN", "END"), (True, True)),
        ((), (False, False)),
        (("",), (True, False)),
    ],
)
def test_which_requests_execute_and_which_commit(statements: tuple[str, ...], expected: tuple[bool, bool]) -> None:
    request = Request(1, 1, "query", statements)
    assert (executes(request), commits(request)) == expected
