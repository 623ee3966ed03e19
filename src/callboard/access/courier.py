"""Tells webhooks that runs have ended: at least once each, signed, again and again for a day, never where it must not.

Which deliveries there are, the store knows; whoever takes one has it for a while, so that one that a process died with
is made again by another. A receiver tells repeats by their id.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any, TypeVar
from urllib.parse import urlsplit

from callboard.access.secret import Secret
from callboard.access.signing import signing_keys
from callboard.access.webhooks import signed
from callboard.connections.reachable import Resolve, reachable
from callboard.dispatch.bell import Hint, News
from callboard.domain.codec import encode
from callboard.domain.errors import Denied, InputInvalid, StoreError
from callboard.domain.run import Outcome, Run
from callboard.engine.commands import TURN
from callboard.engine.services import Services
from callboard.engine.sessions import LABEL
from callboard.store.deliveries import DeliveryStatus, Due

T = TypeVar("T")
Ready = tuple[Due, bytes, Sequence[bytes]]  # what is due, the message, keys that sign it
Post = Callable[[str, str, dict[str, str], bytes], Awaitable[int]]  # url, address, headers, body -> status

# Seconds after each try that failed: nine tries over a day.
_PAUSES = (5.0, 30.0, 120.0, 600.0, 3_600.0, 4 * 3_600.0, 8 * 3_600.0, 11 * 3_600.0)
_SPREAD = 0.1  # of a pause, so that what failed together does not come back together
_LEASE = 60.0  # seconds for which a delivery belongs to who took it
_PATIENCE = 10.0  # seconds for a receiver
_AT_ONCE = 32  # taken at a time
_MOST = 128  # in flight: those that wait for a receiver do not hold up the others
_REST = 60.0  # seconds for which a receiver that did not answer is not waited for by one message after the other
_LOOK = 1.0  # seconds between looks at what is due
_CALM = 0.1  # seconds for which ends of runs gather
_LARGEST = 64 * 1024  # bytes of an output that goes along
_GONE = 410

_log = logging.getLogger("callboard.webhooks")


class Courier:
    """Makes deliveries that are due.

    Args:
        services: the store, the clock, the bell.
        secret: from which signing keys are derived.
        hosts: names that may have private addresses.
        post: sends a message to an address; over HTTP by default.
        resolve: gives a host's addresses; the machine's resolver by default.
    """

    def __init__(
        self,
        services: Services,
        secret: Secret,
        hosts: Sequence[str],
        *,
        post: Post | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self._services = services
        self._secret = secret
        self._hosts = hosts
        self._post = post
        self._resolve = resolve
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._complained = ""
        self._mute: dict[str, float] = {}  # hosts that did not answer, each until when it is left alone

    def open(self) -> None:
        """Begins to deliver; once more does nothing."""
        if self._task is None:
            self._services.bell.listen(self._hear)
            self._task = asyncio.get_running_loop().create_task(self._deliver_forever())

    async def close(self) -> None:
        """Ends it. A delivery in flight is made again later, by somebody."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def deliver(self) -> int:
        """Makes what is due now; returns how many that were. Raises StoreError; InputInvalid where it cannot."""
        ready = await self._ready(_AT_ONCE)
        await asyncio.gather(*(self._try(*each) for each in ready))
        return len(ready)

    async def _ready(self, limit: int) -> list[Ready]:
        """Takes what is due, with what is said of each and the keys that sign it."""
        self._check()  # who cannot sign or send must not take it from those who can
        now = self._services.clock.now()
        self._mute = {host: until for host, until in self._mute.items() if until + _REST > now}
        taken = await self._services.store.deliveries.take(now, _LEASE, limit)
        return [ready for tenant in {due.delivery.tenant for due in taken} for ready in await self._of(tenant, taken)]

    def _hear(self, hints: Sequence[Hint]) -> None:
        if any(hint.news is News.ENDED for hint in hints):
            self._ended.set()

    async def _deliver_forever(self) -> None:
        busy: set[asyncio.Task[None]] = set()
        loop = asyncio.get_running_loop()
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK):
                        await self._ended.wait()
                await asyncio.sleep(_CALM)
                self._ended.clear()
                while (room := min(_AT_ONCE, _MOST - len(busy))) > 0:
                    ready = await self._safely(self._ready(room))
                    if ready is None:
                        break
                    self._complained = ""
                    for each in ready:
                        task = loop.create_task(self._safely(self._try(*each)))
                        busy.add(task)
                        task.add_done_callback(busy.discard)
                    if len(ready) < room:
                        break
        finally:
            for task in busy:
                task.cancel()
            if busy:
                await asyncio.wait(list(busy))

    async def _safely(self, work: Awaitable[T]) -> T | None:
        try:
            return await work
        except (InputInvalid, StoreError) as error:
            self._complain(str(error))
        except Exception:
            _log.exception("deliveries broke off")
        return None

    def _check(self) -> None:
        if not self._secret.expected:
            raise InputInvalid(
                "messages to webhooks cannot be signed here",
                why="CALLBOARD_GATEWAY_SECRET is not set",
                remedy="give workers the secret that gateways have",
            )
        if self._post is None and find_spec("httpx2") is None:
            raise InputInvalid(
                "webhooks cannot be told from here",
                why="httpx2 is not installed",
                remedy='pip install "callboard[gateway]" where workers run',
            )

    async def _of(self, tenant: str, taken: Sequence[Due]) -> list[Ready]:
        """What is taken of one tenant."""
        store = self._services.store
        mine = [due for due in taken if due.delivery.tenant == tenant]
        run_ids = [due.delivery.run_id for due in mine]
        outcomes = await store.runs.outcomes(tenant, run_ids)
        rows = await store.runs.rows(tenant, run_ids)
        signing = await store.deliveries.signing(tenant)
        keys = await signing_keys(self._secret, tenant, signing, self._services.clock.now())
        messages = [_message(due, rows.get(due.delivery.run_id), outcomes.get(due.delivery.run_id)) for due in mine]
        return [(due, body, keys) for due, body in zip(mine, messages, strict=True)]

    async def _try(self, due: Due, body: bytes, keys: Sequence[bytes]) -> None:
        delivery, now = due.delivery, self._services.clock.now()
        host, post = urlsplit(delivery.url).netloc, self._post or _post
        mute = self._mute.get(host)
        if mute is not None:
            if now < mute:
                await self._settle(due, 0, "not tried: the receiver did not answer a moment ago")
                return
            self._mute[host] = now + _REST  # one of them finds out
        status = 0
        try:
            headers = signed(keys, delivery.id, int(now), body)
            async with asyncio.timeout(_PATIENCE):
                address = await reachable(delivery.url, self._hosts, self._resolve)
                status = await post(delivery.url, address, headers, body)
            said = f"HTTP {status}"
            self._mute.pop(host, None)
        except Denied as error:
            status, said = _GONE, error.what
        except TimeoutError:
            said = f"no answer within {_PATIENCE:g} s"
            self._mute[host] = self._services.clock.now() + _REST
        except OSError as error:
            said = f"not reached: {error.strerror or type(error).__name__}"
        except Exception as error:  # whatever a receiver makes of HTTP
            said = f"not reached: {type(error).__name__}"
        await self._settle(due, status, said)

    async def _settle(self, due: Due, status: int, said: str) -> None:
        delivery, services = due.delivery, self._services
        now = services.clock.now()
        if 200 <= status < 300:
            verdict, later, counted = DeliveryStatus.DONE, now, "delivered"
        elif status == _GONE or delivery.tries >= len(_PAUSES):
            verdict, later, counted = DeliveryStatus.FAILED, now, "given_up"
        else:
            pause = _PAUSES[delivery.tries] * (1 + _SPREAD * services.chance.uniform(-1, 1))
            verdict, later, counted = DeliveryStatus.PENDING, now + pause, "failed"
        services.metrics.deliveries[counted] += 1
        _log.info("webhook of run %s: %s after %d tries (%s)", delivery.run_id, verdict, delivery.tries + 1, said)
        try:
            await services.store.deliveries.settle(delivery.tenant, delivery.id, verdict, later, said)
        except StoreError as error:
            self._complain(str(error))  # it is due again once its lease has ended

    def _complain(self, what: str) -> None:
        if what != self._complained:
            _log.warning("webhooks wait: %s", what)
        self._complained = what


def _message(due: Due, run: Run | None, outcome: Outcome | None) -> bytes:
    at = due.delivery.created_at if run is None or run.finished_at is None else run.finished_at
    data: dict[str, Any] = {
        "id": due.delivery.run_id,
        "tenant": due.delivery.tenant,
        "flow": due.flow,
        "status": str(due.status),
    }
    if run is not None and (run.key or "").startswith(TURN):
        data["session"] = run.labels.get(LABEL)
    if outcome is not None and outcome.error is not None:
        data["error"] = {"code": outcome.error.code, "kind": outcome.error.kind, "message": outcome.error.message}
    elif outcome is not None:
        small = len(encode(outcome.output, "an output")) <= _LARGEST
        data |= {"output": outcome.output} if small else {"output_omitted": True}
    when = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return encode({"type": f"run.{due.status}", "timestamp": when, "data": data}, "a message to a webhook")


async def _post(url: str, address: str, headers: dict[str, str], body: bytes) -> int:
    """Sends over HTTP, to the address that was looked at and no other; the name goes into request and handshake."""
    import httpx2

    target = httpx2.URL(url)
    head = headers | {
        "Host": target.netloc.decode("ascii"),
        "Content-Type": "application/json",
        "User-Agent": "callboard",
    }
    named = {"sni_hostname": target.raw_host.decode("ascii")}
    async with (
        httpx2.AsyncClient(follow_redirects=False, trust_env=False, timeout=_PATIENCE) as client,
        client.stream("POST", target.copy_with(host=address), headers=head, content=body, extensions=named) as response,
    ):
        return response.status_code  # what it says beyond that is not read
