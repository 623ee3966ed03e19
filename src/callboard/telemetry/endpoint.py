"""Where telemetry goes: an OTLP/HTTP address, or the name of a product whose address is known."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from callboard.domain.errors import InputInvalid

_JAEGER = "http://localhost:4318"
_LANGFUSE = "https://cloud.langfuse.com"
_TRACES, _METRICS = "/v1/traces", "/v1/metrics"


class Endpoint(msgspec.Struct, frozen=True):
    """A collector. `metrics` is empty where it takes none. Headers may hold credentials: they are never shown."""

    traces: str
    metrics: str
    headers: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Endpoint({self.shown})"

    @property
    def shown(self) -> str:
        """Its address, without what may be secret."""
        parts = urlsplit(self.traces)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def endpoint(text: str, headers: Sequence[str], environ: Mapping[str, str]) -> Endpoint | None:
    """What `telemetry.endpoint` and `telemetry.headers` of the settings say; None for no endpoint.

    Args:
        text: `http://host:4318`; `jaeger` or `langfuse`, with `=http://host` behind it for another place than theirs.
        headers: each as `name=value`.
        environ: for `langfuse`: LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, and LANGFUSE_HOST for another region.

    Raises InputInvalid when it cannot be used.
    """
    if not text:
        return None
    given = tuple(_header(each) for each in headers)
    preset, _, at = text.partition("=")
    if preset == "jaeger":
        return _otlp(at or _JAEGER, given, metrics=False)
    if preset == "langfuse":
        return _langfuse(at or environ.get("LANGFUSE_HOST", "") or _LANGFUSE, given, environ)
    return _otlp(text, given, metrics=True)


def _langfuse(at: str, given: tuple[tuple[str, str], ...], environ: Mapping[str, str]) -> Endpoint:
    if not any(name.lower() == "authorization" for name, _ in given):
        public, secret = environ.get("LANGFUSE_PUBLIC_KEY", ""), environ.get("LANGFUSE_SECRET_KEY", "")
        if not public or not secret:
            raise InputInvalid(
                "telemetry to langfuse has no key",
                why="LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not both set",
                remedy="set both; they are shown in the project's settings",
            )
        login = b64encode(f"{public}:{secret}".encode()).decode()
        given = (("Authorization", f"Basic {login}"), *given)
    base = at.rstrip("/")
    found = _otlp(base if "/api/public/otel" in base else f"{base}/api/public/otel", given, metrics=False)
    return msgspec.structs.replace(found, headers=(*found.headers, ("x-langfuse-ingestion-version", "4")))


def _otlp(at: str, headers: tuple[tuple[str, str], ...], *, metrics: bool) -> Endpoint:
    parts = urlsplit(at)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputInvalid(
            f"telemetry endpoint {at.rpartition('@')[2]!r} is no address",
            remedy="write http://host:4318, https://host/path, jaeger or langfuse",
        )
    base = at.rstrip("/").removesuffix(_TRACES)
    return Endpoint(f"{base}{_TRACES}", f"{base}{_METRICS}" if metrics else "", headers)


def _header(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name.strip() or any(ord(each) < 32 or ord(each) > 126 for each in text):
        raise InputInvalid("a telemetry header is not name=value", remedy="write x-team=support")
    return name.strip(), value.strip()
