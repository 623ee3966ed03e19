"""One frozen tree of options, read once when a runtime opens."""

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from callboard.domain.errors import InputInvalid

DEFAULT_STORE = "sqlite:///callboard.db"
_PARTS = ("engine", "gateway", "telemetry")
_WAYS = ("password", "key", "provider")  # by which people log in
_HIDDEN = "(set)"  # stands in for a secret wherever settings are shown


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise InputInvalid(f"{name}={value!r} is not a positive number", remedy=f"set {name} above 0")


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker executes runs. Times are in seconds, sizes in bytes.

    Attributes:
        concurrency: runs executed at a time by one worker.
        sweep: how often a worker looks for due timers, unannounced runs and dead workers.
        beat: how often a worker shows that it lives.
        lease: a worker that has not beaten for this long loses its runs.
        window: a `once` call starts within this time after its intent was committed, or not at all; it must
            be shorter than the lease.
        max_deaths: a run that this many workers in a row died on, without progress, goes to the dead letters.
        drain: how long a stopping worker lets effects in flight finish.
        step_timeout: the time limit of a step that declares none.
        payload: the largest input, output, result or signal.
        depth: how deep child runs may nest.
        effects: the most effects in one run.
        max_ready: starts are refused while so many runs are ready, over all tenants.
        max_ready_tenant: and while a tenant has so many ready runs of its own.
        max_ready_age: and while a run has been ready for so long without being claimed; None for ever.
    """

    concurrency: int = 256
    sweep: float = 1.0
    beat: float = 2.0
    lease: float = 10.0
    window: float = 5.0
    max_deaths: int = 3
    drain: float = 20.0
    step_timeout: float = 600.0
    payload: int = 16 * 1024 * 1024
    depth: int = 16
    effects: int = 100_000
    max_ready: int = 1_000_000
    max_ready_tenant: int = 100_000
    max_ready_age: float | None = None

    def __post_init__(self) -> None:
        for name in ("concurrency", "max_deaths", "payload", "depth", "effects", "max_ready", "max_ready_tenant"):
            _positive(name, getattr(self, name))
        for name in ("sweep", "beat", "lease", "window", "step_timeout"):
            _positive(name, getattr(self, name))
        if self.max_ready_age is not None:
            _positive("max_ready_age", self.max_ready_age)
        if self.window >= self.lease:
            raise InputInvalid(
                f"window={self.window} is not shorter than lease={self.lease}",
                why="a call could start after its run was taken over",
                remedy="shorten the window or lengthen the lease",
            )


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the HTTP doors behave. Times are in seconds, sizes in bytes.

    Attributes:
        secret: from which keys of all doors are derived: the same in each process. Beside a SQLite store one is made
            and kept in a file; elsewhere it must be given.
        public_url: where clients reach this, such as `https://agents.example.com`; cookies are then secure.
        proxies: addresses of proxies whose `X-Forwarded-For` and `-Proto` are believed.
        hosts: names under which this is reached beside that of `public_url`, such as `callboard.internal`,
            `*.example.com` for all below, `*` for any. Addresses and `localhost` always are.
        origins: web origins that may call the API from a browser; none by default.
        body: the largest request body.
        header_time: how long a client may take to send a request's head, and its body between two pieces.
        heartbeat: how often a silent stream says that it lives.
        requests: how many requests one process has in hand at a time; more are refused at once. Streams and waits for a
            result are not counted.
        streams: how many streams one process keeps open.
        backlog: how much may wait for one slow reader before it is let go of, in bytes.
        limit: requests a second of one key or person; 0 for no limit. Twice that may come at once.
        tenant_limit: requests a second of one tenant; 0 for no limit.
        start_limit: starts a second of one tenant; 0 for no limit.
        route_limits: requests a second of one tenant to one route, as `/v1/runs/batch=2`; the route as the OpenAPI
            document names it. None by default.
        oidc_issuer: whose tokens are taken, and where people log in; empty for none.
        oidc_audience: for whom tokens must be made; empty where only people come, by `oidc_client`.
        oidc_keys: where the issuer's keys are, if its discovery document is not to be asked.
        oidc_roles: the claim that names roles; `roles` by default.
        oidc_tenant: the claim that names the tenant; empty when tokens belong to the settings' tenant.
        oidc_client: as which client the issuer knows this, so that people log in to the console there; empty for no.
        oidc_client_secret: that client's secret; empty for a public client.
        oidc_name: how the log-in page names the issuer; its host by default.
        oidc_scope: what is asked for at a log-in, `openid` and whatever brings the claim that names roles.
        login_by: how people may log in, of `password`, `key` and `provider`; empty for all of them.
        login_time: how long a person stays logged in to the console.
        webhook_hosts: hosts that webhooks may reach though their addresses are private, such as `hooks.internal`.
    """

    secret: str = ""
    public_url: str = ""
    proxies: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    body: int = 16 * 1024 * 1024
    header_time: float = 15.0
    heartbeat: float = 15.0
    requests: int = 1_000
    streams: int = 5_000
    backlog: int = 1024 * 1024
    limit: float = 200.0
    tenant_limit: float = 2_000.0
    start_limit: float = 1_000.0
    route_limits: tuple[str, ...] = ()
    oidc_issuer: str = ""
    oidc_audience: str = ""
    oidc_keys: str = ""
    oidc_roles: str = "roles"
    oidc_tenant: str = ""
    oidc_client: str = ""
    oidc_client_secret: str = ""
    oidc_name: str = ""
    oidc_scope: str = "openid profile email"
    login_by: tuple[str, ...] = ()
    login_time: float = 12 * 3_600.0
    webhook_hosts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return _repr(self, **self.hidden)

    @property
    def hidden(self) -> dict[str, str]:
        """What stands for the secrets wherever these are shown."""
        return {name: _HIDDEN if getattr(self, name) else "" for name in ("secret", "oidc_client_secret")}

    def lets_in_by(self, way: str) -> bool:
        """Whether people may log in by `password`, `key` or `provider`."""
        return (not self.login_by or way in self.login_by) and (way != "provider" or bool(self.oidc_client))

    @property
    def routes(self) -> dict[str, float]:
        """Requests a second by route, as `route_limits` say."""
        return dict(_route_limit(each) for each in self.route_limits)

    def __post_init__(self) -> None:
        for name in ("body", "header_time", "heartbeat", "requests", "streams", "backlog", "login_time"):
            _positive(name, getattr(self, name))
        for each in self.route_limits:
            _route_limit(each)
        if self.oidc_issuer and not self.oidc_audience and not self.oidc_client:
            raise InputInvalid(
                "oidc_audience='' is empty",
                why=f"any token of {self.oidc_issuer}, whoever it was made for, would be taken",
                remedy="name the audience that tokens for this deployment carry",
            )
        _check_login(self)


def _check_login(gateway: GatewaySettings) -> None:
    if unknown := set(gateway.login_by) - set(_WAYS):
        raise InputInvalid(f"login_by={sorted(unknown)[0]!r} is unknown", remedy=f"use some of {', '.join(_WAYS)}")
    if gateway.oidc_client and not (gateway.oidc_issuer and gateway.public_url):
        raise InputInvalid(
            f"oidc_client={gateway.oidc_client!r} stands without oidc_issuer or public_url",
            why="people are sent to the one, and come back to the other and nowhere else",
            remedy="set both",
        )
    if gateway.oidc_client_secret and not gateway.oidc_client:
        raise InputInvalid("oidc_client_secret stands without oidc_client", remedy="name the client it belongs to")
    if "openid" not in gateway.oidc_scope.split():
        raise InputInvalid(
            f"oidc_scope={gateway.oidc_scope!r} has no openid", remedy="write it as openid profile email"
        )
    if not any(gateway.lets_in_by(way) for way in _WAYS):
        raise InputInvalid(
            "login_by='provider' lets nobody in", why="there is no oidc_client", remedy="name it, or other ways"
        )


def _route_limit(text: str) -> tuple[str, float]:
    route, _, rate = text.rpartition("=")
    try:
        found = float(rate)
    except ValueError:
        found = 0.0
    if not route.startswith("/") or not 0 < found < float("inf"):
        raise InputInvalid(
            f"route_limits={text!r} names no route and rate",
            remedy="write them as /v1/runs/batch=2, a comma between two",
        )
    return route, found


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is told to the outside, and to whom.

    Attributes:
        endpoint: an OTLP/HTTP collector, such as `http://collector:4318`; or `jaeger` or `langfuse` for the address
            that each documents, `jaeger=http://host:4318` for another; empty for none.
        headers: headers for it, as `name=value`; never shown.
        service: how this process calls itself.
        content: whether prompts, answers, arguments and results are told: `off`, `on`, `redacted`.
        sample: the share of runs that is told, between 0 and 1. Failed and expensive runs always are.
        expensive: a run that cost more than so many dollars is always told.
        slow: and one that took longer than so many seconds; 0 for none.
        log: how a process logs: `text` or `json`.
    """

    endpoint: str = ""
    headers: tuple[str, ...] = ()
    service: str = "callboard"
    content: str = "off"
    sample: float = 1.0
    expensive: float = 1.0
    slow: float = 0.0
    log: str = "text"

    def __repr__(self) -> str:
        return _repr(self, headers=_named(self.headers), endpoint=without_password(self.endpoint))

    def __post_init__(self) -> None:
        for name, known in (("content", ("off", "on", "redacted")), ("log", ("text", "json"))):
            if getattr(self, name) not in known:
                raise InputInvalid(f"{name}={getattr(self, name)!r} is unknown", remedy=f"use {', '.join(known)}")
        if not 0 <= self.sample <= 1:
            raise InputInvalid(f"sample={self.sample!r} is no share", remedy="use a number between 0 and 1")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All options.

    Attributes:
        store: a URL: `sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite://` in memory.
        tenant: whose runs, where nothing else says it.
        dispatch: a URL of what rings for workers, `redis://host/0`; empty for what belongs to the store.
        direct: the PostgreSQL server's own URL, where `store` leads through PgBouncer: notifications do not.
        namespace: names this deployment in Redis; by default a digest of the database's address.
        labels: what this worker offers: runs that need a label are executed only by workers that have it.
        config: a TOML file with models, routes, upstreams, prices and budgets; empty for the app's own.
        listen: `host:port` where a door answers; `:port` for every address of the machine, empty for nowhere.
    """

    store: str = DEFAULT_STORE
    tenant: str = "default"
    dispatch: str = ""
    direct: str = ""
    namespace: str = ""
    labels: tuple[str, ...] = ()
    config: str = ""
    listen: str = ""
    engine: EngineSettings = EngineSettings()
    gateway: GatewaySettings = GatewaySettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    def __repr__(self) -> str:
        return _repr(
            self, store=self.place, dispatch=without_password(self.dispatch), direct=without_password(self.direct)
        )

    @property
    def file(self) -> str | None:
        """The absolute path of the SQLite file; None for a store in memory or on a server."""
        path = self.store.partition(":///")[2]
        return os.path.abspath(path) if self.store.startswith("sqlite:") and path not in ("", ":memory:") else None

    @property
    def place(self) -> str:
        """The store's URL without password and options, to be shown."""
        if self.store.startswith("sqlite:"):
            return self.store
        return without_password(self.store)

    @property
    def folder(self) -> str:
        """Where files beside the store belong: the folder of a SQLite file, else the current folder."""
        return os.getcwd() if self.file is None else os.path.dirname(self.file)


def without_password(url: str) -> str:
    """A URL without password and options, to be shown."""
    scheme, found, rest = url.partition("?")[0].partition("://")
    login, at, address = rest.rpartition("@")
    return f"{scheme}{found}{login.partition(':')[0]}{at}{address}"


def masked(settings: Settings) -> dict[str, Any]:
    """All options by name, parts as dicts, to be shown: secrets as `(set)`, URLs without passwords and options."""
    gateway, telemetry = settings.gateway, settings.telemetry
    found = msgspec.structs.asdict(settings)
    for name in ("store", "dispatch", "direct"):
        found[name] = without_password(found[name])
    found["engine"] = msgspec.structs.asdict(settings.engine)
    found["gateway"] = msgspec.structs.asdict(gateway) | gateway.hidden
    hidden = {"headers": _named(telemetry.headers), "endpoint": without_password(telemetry.endpoint)}
    found["telemetry"] = msgspec.structs.asdict(telemetry) | hidden
    return found


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings that the environment names: each option as `CALLBOARD_<OPTION>`, those of the doors as
    `CALLBOARD_GATEWAY_<OPTION>` and of telemetry as `CALLBOARD_TELEMETRY_<OPTION>`; lists with commas between their
    parts. Raises InputInvalid, naming the variable."""
    env = os.environ if environ is None else environ
    return Settings(
        **_read(Settings, "CALLBOARD_", env),
        engine=EngineSettings(**_read(EngineSettings, "CALLBOARD_", env)),
        gateway=GatewaySettings(**_read(GatewaySettings, "CALLBOARD_GATEWAY_", env)),
        telemetry=TelemetrySettings(**_read(TelemetrySettings, "CALLBOARD_TELEMETRY_", env)),
    )


def _read(kind: type[msgspec.Struct], prefix: str, env: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        name = f"{prefix}{field.name.upper()}"
        if name not in env or field.name in _PARTS:
            continue
        text = env[name]
        if field.type is str:
            found[field.name] = text
        elif field.type == tuple[str, ...]:
            found[field.name] = tuple(each.strip() for each in text.split(",") if each.strip())
        else:
            found[field.name] = _number(name, text, whole=field.type is int)
    return found


def _named(headers: tuple[str, ...]) -> tuple[str, ...]:
    """Headers with their values hidden."""
    return tuple(f"{each.partition('=')[0].strip()}={_HIDDEN}" for each in headers)


def _repr(value: msgspec.Struct, **shown: Any) -> str:
    facts = msgspec.structs.asdict(value) | shown
    return f"{type(value).__name__}({', '.join(f'{name}={each!r}' for name, each in facts.items())})"


def _number(name: str, text: str, *, whole: bool) -> float | int:
    try:
        return int(text) if whole else float(text)
    except ValueError:
        raise InputInvalid(
            f"{name}={text!r} is not a {'whole ' if whole else ''}number", remedy=f"set {name} to a number"
        ) from None
