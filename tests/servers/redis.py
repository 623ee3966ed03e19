"""A Redis server as tests use it: a namespace each, and for throwaway servers killing, freezing and forgetting."""

import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.retry import Retry

from tests.servers import keeper
from tests.servers.binaries import redis_program
from tests.servers.card import Card, DidNotStart, ForeignServer
from tests.servers.place import Place, free_port, give, last_words, server_user, spawn

_START = 30.0  # seconds
_STOP = 30.0
_PORTS = 5  # tries, if somebody else takes the port between our look and the start
_SHARED = "this server is shared: ask for private_redis() to stop or hurt one"


class RedisServer:
    """A server that answers at `url`. It keeps nothing on disk: once restarted it has forgotten everything.

    Either our own (`own`), shared by the session or private to a test, or one that the environment named. In a server
    that is not private, keys are touched only under prefixes that were made here.
    """

    def __init__(
        self, url: str, *, card: Card | None = None, place: Place | None = None, private: bool = False
    ) -> None:
        self.url = url
        self._card = card
        self._place = place
        self._is_private = private
        self._process: subprocess.Popen[bytes] | None = None
        self._prefixes: list[str] = []

    @classmethod
    def given(cls, url: str) -> Self:
        """The server that the environment named. Raises when it cannot be reached."""
        server = cls(url)
        server.prove()
        return server

    @classmethod
    def begin(cls, *, private: bool = False) -> Self:
        """Starts a server of our own. `private`: it may be stopped and hurt."""
        place = Place.make("redis")
        card = Card(str(place.folder), free_port(), f"callboard-{secrets.token_hex(8)}", secrets.token_hex(16))
        server = cls(_url(card), card=card, place=place, private=private)
        try:
            server._begin()
        except BaseException:
            place.close(alone=True)
            raise
        return server

    @classmethod
    def join(cls, card: Card, place: Place) -> Self:
        """The server that another process of this session has begun."""
        server = cls(_url(card), card=card, place=place)
        try:
            server.prove()
        except BaseException:
            place.close(alone=False)
            raise
        return server

    def __repr__(self) -> str:
        return f"RedisServer({self.host}:{self.port})"

    @property
    def card(self) -> Card:
        """What another process needs in order to join."""
        assert self._card is not None, "a server from the environment is found there, not joined"
        return self._card

    @property
    def own(self) -> bool:
        """Whether we started it."""
        return self._card is not None

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or "localhost"

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 6379

    @property
    def version(self) -> str:
        with self._session() as client:
            return str(client.info("server")["redis_version"])

    def prove(self) -> None:
        """Raises `ForeignServer` unless the server that was started is the one that answers."""
        with self._session():
            pass

    def new_namespace(self, hint: str = "test") -> str:
        """A random prefix for keys, which nobody else uses."""
        prefix = f"callboard-{re.sub(r'[^a-z0-9]+', '-', hint.lower())[:24]}-{secrets.token_hex(8)}:"
        self._prefixes.append(prefix)
        return prefix

    def clear_namespace(self, prefix: str) -> None:
        """Deletes the keys under a prefix that was made here."""
        if prefix not in self._prefixes:
            raise ForeignServer(f"the prefix {prefix!r} was not made here: its keys are left alone")
        with self._session() as client:
            for key in client.scan_iter(f"{prefix}*", count=1_000):
                client.delete(key)
        self._prefixes.remove(prefix)

    def start(self) -> None:
        """Starts a stopped private server again, empty, at the same port."""
        assert self._is_private, _SHARED
        self._spawn()

    def stop(self) -> None:
        """Ends a private server as an administrator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kills a private server outright."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kills a private server and starts it again, empty."""
        self.kill()
        self.start()

    def flush(self) -> None:
        """Lets a private server forget everything while its clients stay connected."""
        self._check_private()
        with self._session() as client:
            client.flushall()

    def freeze(self) -> None:
        """Lets a private server take connections and requests and never answer."""
        self._check_private().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen server go on."""
        self._check_private().send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Deletes what was made here and lets go of the server. A private one has ended when this returns."""
        if self._is_private:
            self.kill()
        else:
            for prefix in list(self._prefixes):
                self.clear_namespace(prefix)
        if self._place is not None:
            self._place.close(alone=self._is_private)

    def _begin(self) -> None:
        for attempt in range(_PORTS):
            try:
                return self._spawn()
            except DidNotStart as failed:
                if "in use" not in str(failed) or attempt == _PORTS - 1:
                    raise
                self._card = Card(self.card.folder, free_port(), self.card.name, self.card.password)
                self.url = _url(self._card)

    def _spawn(self) -> None:
        assert self._process is None, "it runs already"
        folder = Path(self.card.folder)
        data, options, log = folder / "data", folder / "redis.conf", folder / "log"
        data.mkdir(exist_ok=True)
        give(data, 0o700)
        options.touch(0o600)
        give(options, 0o600)
        options.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self.card.password}\ndir {data}\n"
            'save ""\nappendonly no\ndaemonize no\n'
        )
        log.unlink(missing_ok=True)
        self._process = spawn([str(_program(folder)), str(options)], data, log)
        end = time.monotonic() + _START
        while self._process.poll() is None and time.monotonic() < end:
            try:
                return self.prove()
            except RedisError:
                time.sleep(0.02)
        self._process.kill()
        self._process.wait(_STOP)
        self._process = None
        raise DidNotStart(f"Redis did not start:\n{last_words(log)}")

    def _end(self, number: signal.Signals) -> None:
        assert self._is_private, _SHARED
        if self._process is not None:
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(_STOP)
            self._process = None
            keeper.wait_until_empty(Path(self.card.folder), _STOP)

    def _check_private(self) -> subprocess.Popen[bytes]:
        assert self._is_private, _SHARED
        assert self._process is not None, "it has been stopped"
        return self._process

    @contextmanager
    def _session(self) -> Iterator[Redis]:
        """A connection of which it is proven that it leads to our server."""
        with Redis.from_url(self.url, retry=Retry(NoBackoff(), 0), socket_timeout=20, decode_responses=True) as client:
            try:
                folder = client.config_get("dir")["dir"] if self.own else client.ping()
            except (AuthenticationError, ResponseError) as refused:
                raise ForeignServer(f"what answers at {self.host}:{self.port} is not our Redis") from refused
            if self.own and folder != f"{self.card.folder}/data":
                raise ForeignServer(f"another Redis answers at {self.host}:{self.port}")
            yield client


def _program(folder: Path) -> Path:
    """The program, copied when its user may not be able to enter the environment's folder."""
    program = redis_program()
    if server_user() is None:
        return program
    copied = folder / "redis-server"
    if not copied.exists():
        shutil.copy2(program, copied)
        copied.chmod(0o755)
    return copied


def _url(card: Card) -> str:
    return f"redis://:{card.password}@127.0.0.1:{card.port}/0"
