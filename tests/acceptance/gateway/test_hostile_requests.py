"""Requests that no honest client sends, byte by byte: each is refused, and costs nothing that lasts."""

import asyncio
import gzip
import re
from pathlib import Path

import httpx2
import psutil

from tests.acceptance.gateway.gateway_process import GatewayProcess, gateway_process
from tests.acceptance.gateway.house import SECRET, house
from tests.house.tree import ROOT

_JSON = b"Content-Type: application/json"
_START = b'{"flow": "hello", "input": "x"}'
_SMUGGLED = b"0\r\n\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


def _request(line: str, *heads: bytes, body: bytes = b"") -> bytes:
    named = any(head.lower().startswith(b"host:") for head in heads)
    lines = [
        f"{line} HTTP/1.1".encode("latin-1"),
        *([] if named else [b"Host: localhost"]),
        b"Connection: close",
        *heads,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _start(*heads: bytes, body: bytes = _START) -> bytes:
    return _request("POST /v1/runs", *heads, body=body)


def _sized(body: bytes, *heads: bytes) -> bytes:
    return _start(b"Content-Length: %d" % len(body), *heads, body=body)


# What is sent (K: the key's header is added), and which statuses are right.
_REQUESTS: list[tuple[str, bytes, tuple[int, ...]]] = [
    # Two ways to say how long a body is, or none that is known
    ("length and chunked", _start(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=_SMUGGLED), (400,)),
    ("chunked and length", _start(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=_SMUGGLED), (400,)),
    ("two lengths", _start(b"Content-Length: 5", b"Content-Length: 6", body=b"abcdef"), (400,)),
    ("a length with a sign", _start(b"Content-Length: +5", body=b"abcde"), (400,)),
    ("a length without end", _start(b"Content-Length: " + b"9" * 5_000), (400,)),
    ("another encoding", _start(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), (400,)),
    ("chunked, but not last", _start(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"), (400,)),
    ("a folded header", _start(b"Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n"), (400,)),
    ("a blank before the colon", _start(b"Content-Length : 2", body=b"{}"), (400,)),
    ("a bare line feed", b"GET /livez HTTP/1.1\nHost: localhost\nConnection: close\n\n", (400,)),
    ("a bare carriage return", _request("GET /v1/whoami", b"X-Request-Id: a\rX-Evil: 1"), (400,)),
    ("a NUL in a header", _request("GET /v1/whoami", b"Callboard-Tenant: a\x00b"), (400,)),
    ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", (400, 408)),
    # For whom it is
    ("two hosts", _request("GET /livez", b"Host: a", b"Host: b"), (400,)),
    ("no host", b"GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n", (400,)),
    ("another host in the target", _request("GET http://evil.example/v1/whoami"), (200,)),
    ("two keys", _request("GET /v1/whoami", b"Authorization: Bearer nothing"), (401,)),
    ("every tenant", _request("GET /v1/whoami", b"Callboard-Tenant: *"), (422,)),
    # Bodies that are no JSON, or do not say so
    ("words", _sized(_START, b"Content-Type: text/plain"), (422,)),
    ("nothing said", _sized(_START), (422,)),
    ("a form", _sized(_START, b"Content-Type: application/x-www-form-urlencoded"), (422,)),
    ("packed", _sized(gzip.compress(b" " * 30_000_000), _JSON, b"Content-Encoding: gzip"), (422,)),
    ("UTF-16", _sized(_START.decode().encode("utf-16"), _JSON), (422,)),
    ("brackets", _sized(b"[" * 100_000 + b"]" * 100_000, _JSON), (422,)),
    ("a long number", _sized(b'{"flow": "hello", "input": 1' + b"0" * 5_000 + b"}", _JSON), (422,)),
    (
        "labels without end",
        _sized(b'{"labels": {%s}}' % b",".join(b'"%x": ""' % i for i in range(20_000)), _JSON),
        (422,),
    ),
    # Methods
    ("OPTIONS", _request("OPTIONS /v1/runs"), (405,)),
    ("TRACE", _request("TRACE /v1/runs"), (405,)),
    ("CONNECT", _request("CONNECT /v1/runs"), (405,)),
    ("another method in a header", _request("POST /v1/whoami", b"X-HTTP-Method-Override: GET"), (405,)),
    # Paths
    *(
        (path, _request(f"GET {path}"), (404, 422))
        for path in (
            *("/v1/runs/", "/V1/RUNS", "//v1/runs", "/v1/./runs", "/livez/../v1/runs", "/v1/runs%00", "*"),
            *("/v1/runs/%2e%2e/%2e%2e/livez", "/v1/runs/%ff%fe", "/v1/runs/%0d%0aX-Evil:%201", "/v1/flows/..%5c..%5c"),
            *("/v1/flows/%2fetc%2fpasswd", "/console/runs/%0d%0aX-Evil:%201", "/console/catalog/..%2f..%2f", "/docs"),
            *(f"/console/static/{up}pages.py" for up in ("../", "%2e%2e/", "..%2f", "%252e%252e/", "..\\", "%00")),
        )
    ),
    ("bytes in a path", _request("GET /v1/runs/\xff\xfe"), (400,)),
]


async def test_what_is_malformed_or_means_two_things_is_refused_once() -> None:
    async with house(console=True, header_time=1.0) as here:
        key = b"Authorization: Bearer " + here.key.encode() + b"\r\n"
        said = await asyncio.gather(*(_answer(here.url, _keyed(sent, key)) for _, sent, _ in _REQUESTS))
        for (name, _, statuses), answer in zip(_REQUESTS, said, strict=True):
            status = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
            assert status and int(status[1]) in statuses, (name, answer[:300])
            assert answer.count(b"HTTP/1.1 ") == 1, f"{name}: what was smuggled in was answered, too"
            head, _, body = answer.partition(b"\r\n\r\n")
            assert b"x-evil" not in head.lower(), name
            assert b"Traceback" not in body, name
            assert str(ROOT).encode() not in body, name
            if b"problem+json" in head:
                assert b"content-security-policy: default-src 'none'" in head, name
            elif statuses != (200,):
                assert int(status[1]) == 400, f"{name}: not in our words: {answer[:300]!r}"
            assert b"allow: " in head.lower() or int(status[1]) != 405, name
        assert (await here.asking.get("/v1/runs/totals")).json()["statuses"] == {}


async def test_who_sends_nothing_or_slowly_keeps_nobody_from_being_served() -> None:
    form = (b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: 9")
    login = _request("POST /console/login", *form, body=b"n")  # which anybody may send
    async with house(console=True, header_time=1.0, requests=50) as here:
        target = httpx2.URL(here.url)
        idle = [await asyncio.open_connection(target.host, target.port) for _ in range(200)]
        for number, (_, writer) in enumerate(idle):
            writer.write(b"GET /livez HTTP/1.1\r\nHo" if number % 2 else login)
        await asyncio.sleep(0.1)
        dripping = asyncio.ensure_future(_dripped(here.url, _start(_JSON, b"Content-Length: 999", body=b""), here.key))
        took = []
        for _ in range(20):
            begun = asyncio.get_running_loop().time()
            assert (await here.asking.get("/v1/whoami")).status_code == 200
            took.append(asyncio.get_running_loop().time() - begun)
        assert sorted(took)[10] < 1.0
        ended = await asyncio.gather(*(asyncio.wait_for(reader.read(), 60) for reader, _ in idle))
        assert all(each.startswith(b"HTTP/1.1 408") for each in ended), set(ended)
        assert (await dripping).startswith((b"HTTP/1.1 408", b"cut")), "a body that comes byte by byte has an end, too"
        for _, writer in idle:
            writer.close()


async def test_what_has_no_end_is_cut_off_and_not_kept(tmp_path: Path) -> None:
    async with gateway_process(
        f"sqlite:///{tmp_path}/town.db", secret=SECRET, CALLBOARD_GATEWAY_BODY="1000000"
    ) as here:
        process, begun = psutil.Process(here.process.pid), b"Transfer-Encoding: chunked"
        await _poured(here, _request("GET /livez"), b"", 0)  # what is made once is made
        before = process.memory_info().rss
        piece, line = b"x" * 65_536, b"X-A: " + b"a" * 60_000 + b"\r\n"
        chunk = b"10000\r\n" + piece + b"\r\n"
        first = b"1\r\n{\r\n0\r\n"  # the whole of a body; trailers follow
        attacks: list[tuple[bytes, bytes]] = [
            (_start(_JSON, b"Content-Length: 104857600", body=b""), piece),
            (_start(_JSON, begun, body=b""), chunk),
            (_start(_JSON, begun, body=first), line),
            (_start(_JSON, begun, body=first + b"X: "), piece),
            (_start(_JSON, begun, body=b"1;"), piece),
            (_request("GET /livez")[:-2], line),
            (b"GET /", piece),
        ]
        for head, more in attacks:
            keyed = _keyed(head, b"Authorization: Bearer " + here.key.encode() + b"\r\n")
            sent = await _poured(here, keyed, more, 1_600)
            assert sent < 20_000_000, f"{sent:,} bytes of {head[:80]!r} were taken"
        assert process.memory_info().rss - before < 30_000_000
        async with httpx2.AsyncClient(base_url=here.url) as client:
            assert (await client.get("/livez")).status_code == 200


def _keyed(request: bytes, key: bytes) -> bytes:
    """With the key behind the request's other headers; as it is, where it has no head."""
    line, found, rest = request.partition(b"\r\n")
    return request if not found or line.startswith(b"GET /livez") else line + found + key + rest


async def _dripped(url: str, head: bytes, key: str) -> bytes:
    """What is answered to a body of which a byte comes now and then."""
    target = httpx2.URL(url)
    reader, writer = await asyncio.open_connection(target.host, target.port)
    writer.write(_keyed(head, f"Authorization: Bearer {key}\r\n".encode()))
    answer = asyncio.ensure_future(reader.read(200))
    for _ in range(40):
        writer.write(b"[")
        if (await asyncio.wait([answer], timeout=0.2))[0]:
            break
    writer.close()
    if not answer.done():
        answer.cancel()
        return b"still taken"
    return b"cut" if answer.exception() else answer.result()


async def _answer(url: str, request: bytes) -> bytes:
    target = httpx2.URL(url)
    reader, writer = await asyncio.open_connection(target.host, target.port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 60)
    finally:
        writer.close()


async def _poured(here: GatewayProcess, head: bytes, piece: bytes, count: int) -> int:
    """How many bytes the server took before it ended the connection."""
    target = httpx2.URL(here.url)
    reader, writer = await asyncio.open_connection(target.host, target.port)
    sent = 0
    try:
        writer.write(head)
        for _ in range(count):
            writer.write(piece)
            await asyncio.wait_for(writer.drain(), 5)
            sent += len(piece)
        await asyncio.wait_for(reader.read(), 5)
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.close()
    return sent
