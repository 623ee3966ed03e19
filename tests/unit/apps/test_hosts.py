"""For which hosts a door answers."""

import pytest
from starlette.types import Message, Receive, Scope, Send

from callboard.apps.entrance.hosts import Hosts, served
from callboard.domain.errors import InputInvalid

GOOD = [
    "localhost",
    "LOCALHOST:8080",
    "app.localhost:1",
    "127.0.0.1:80",
    "[::1]:8080",
    "[::1]",
    "10.4.0.7:8000",
    "localhost.",
]
BAD = ["evil.example", "localhost.evil.example",
       "127.0.0.1.evil.example", "evil.example:localhost", "", "[evil.example]",
       "evil.example#localhost", "localhost@evil.example", "notlocalhost", "::1 evil", "1.2.3", "x\xff"]  # fmt: skip


async def asked(hosts: Hosts, *names: str, accept: str = "*/*") -> tuple[int, bytes]:
    """What a request for a host is answered: status and body."""
    heard: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        heard.append(message)

    head = [(b"host", name.encode("latin-1")) for name in names]
    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": [*head, (b"accept", accept.encode())]}
    await hosts(scope, receive, send)
    return heard[0]["status"], b"".join(each.get("body", b"") for each in heard)


async def inside(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})


async def test_addresses_and_loopback_are_served_and_no_name_that_nobody_gave() -> None:
    hosts = Hosts(inside, [])
    for _ in range(2):
        assert [(await asked(hosts, name))[0] for name in GOOD] == [204] * len(GOOD)
        assert [(await asked(hosts, name))[0] for name in BAD] == [421] * len(BAD)
    assert (await asked(hosts))[0] == 204, "HTTP/1.0: no browser's"
    assert (await asked(hosts, "localhost", "evil.example"))[0] == 421
    status, page = await asked(hosts, "<script>.example", accept="text/html")
    assert (status, page.split(b"\n")[0]) == (421, b"this server does not answer for '<script>.example'")
    assert b'"code":"misdirected"' in (await asked(hosts, "evil.example"))[1]


async def test_names_that_were_given_are_served() -> None:
    named = Hosts(inside, served("https://Agents.example.com/x", ("*.corp.example", "gw"), bound="myserver"))
    for host in (
        "agents.example.com",
        "AGENTS.example.com:443",
        "a.corp.example",
        "a.b.corp.example",
        "gw",
        "myserver",
    ):
        assert (await asked(named, host))[0] == 204, host
    for host in ("corp.example", "xcorp.example", "x.agents.example.com", "gw.evil.example", "example.com"):
        assert (await asked(named, host))[0] == 421, host
    assert (await asked(Hosts(inside, served("", ("*",))), "anything.example"))[0] == 204


@pytest.mark.parametrize("name", ["https://x.example", "x.example:80", "a b", "", "x.*.example", "ü.example"])
def test_what_is_no_name_of_a_host_is_refused(name: str) -> None:
    with pytest.raises(InputInvalid, match="hosts="):
        served("", (name,))
