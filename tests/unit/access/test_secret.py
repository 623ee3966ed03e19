"""The secret is made once, read by its owner alone, and shown nowhere."""

import os
import stat
import traceback
from pathlib import Path

import pytest

import callboard as cb
from callboard.access.secret import Secret, kept
from callboard.domain.errors import CallboardError, InputInvalid, StoreUnavailable
from callboard.runtime import open as open_runtime
from callboard.settings import GatewaySettings, Settings, TelemetrySettings, from_environment, masked

HIDDEN = "hunter2-" * 6


async def test_it_is_made_beside_the_store_for_this_user_only(tmp_path: Path) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/runs.db")
    first, again = Secret(settings, os.urandom), Secret(settings, os.urandom)
    assert await first.key("keys") == await again.key("keys") != await again.key("log-ins")
    path = tmp_path / "runs.db-secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    path.chmod(0o640)
    with pytest.raises(StoreUnavailable, match="chmod 600"):
        await Secret(settings, os.urandom).key("keys")
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(StoreUnavailable, match="holds no secret"):
        await Secret(settings, os.urandom).key("keys")
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailable):
        await Secret(settings, os.urandom).key("keys")


def test_of_two_that_make_it_at_once_one_counts(tmp_path: Path) -> None:
    path = str(tmp_path / "secret")
    entropy = iter([b"a" * 32, b"b" * 32])

    def second(count: int) -> bytes:
        if not os.path.exists(path):
            kept(path, lambda _: next(entropy))  # another process comes between
        return next(entropy)

    assert kept(path, second) == kept(path, os.urandom) == (b"a" * 32).hex().encode()


async def test_it_must_be_given_on_a_server_and_be_long(tmp_path: Path) -> None:
    server = "postgresql://user:hunter2@host/db"
    with pytest.raises(InputInvalid, match="CALLBOARD_GATEWAY_SECRET is not set") as told:
        await Secret(Settings(store=server), os.urandom).key("keys")
    assert "hunter2" not in str(told.value)
    with pytest.raises(InputInvalid, match="9 characters"):
        await Secret(Settings(store=server, gateway=GatewaySettings(secret="too short")), os.urandom).key("keys")
    given = GatewaySettings(secret=HIDDEN)
    keys = [await Secret(Settings(store=store, gateway=given), os.urandom).key("k") for store in (server, "sqlite://")]
    assert keys[0] == keys[1]


async def test_no_secret_is_shown_with_the_settings_or_an_error(tmp_path: Path) -> None:
    environment = {
        "CALLBOARD_STORE": "postgresql://user:hunter2@host/db?password=hunter2",
        "CALLBOARD_DISPATCH": "redis://:hunter2@host/0",
        "CALLBOARD_DIRECT": "postgresql://user:hunter2@direct/db",
        "CALLBOARD_GATEWAY_SECRET": HIDDEN,
        "CALLBOARD_GATEWAY_PUBLIC_URL": "https://agents.example.com",
        "CALLBOARD_GATEWAY_OIDC_ISSUER": "https://issuer.example",
        "CALLBOARD_GATEWAY_OIDC_CLIENT": "console",
        "CALLBOARD_GATEWAY_OIDC_CLIENT_SECRET": HIDDEN,
        "CALLBOARD_TELEMETRY_HEADERS": "Authorization=Bearer hunter2,x=hunter2",
        "CALLBOARD_TELEMETRY_ENDPOINT": "https://user:hunter2@collector",
    }
    settings = from_environment(environment)
    shown = [repr(settings), str(settings), repr(settings.gateway), repr(settings.telemetry), repr(masked(settings))]
    shown += [repr(Secret(settings, os.urandom)), f"{settings.telemetry}"]
    assert masked(settings)["gateway"]["secret"] == masked(settings)["gateway"]["oidc_client_secret"] == "(set)"
    assert masked(settings)["telemetry"]["headers"] == ("Authorization=(set)", "x=(set)")
    for wrong in (
        {"CALLBOARD_GATEWAY_LIMIT": "many"},
        {"CALLBOARD_TELEMETRY_CONTENT": "maybe"},
        {"CALLBOARD_GATEWAY_OIDC_CLIENT": "", "CALLBOARD_GATEWAY_OIDC_CLIENT_SECRET": ""},  # and no audience
        {"CALLBOARD_GATEWAY_OIDC_CLIENT": ""},  # a secret of nobody
        {"CALLBOARD_GATEWAY_OIDC_ISSUER": ""},
        {"CALLBOARD_GATEWAY_PUBLIC_URL": ""},
        {"CALLBOARD_GATEWAY_OIDC_SCOPE": "profile"},
        {"CALLBOARD_GATEWAY_LOGIN_BY": "password,face"},
        {
            "CALLBOARD_GATEWAY_LOGIN_BY": "provider",
            "CALLBOARD_GATEWAY_OIDC_AUDIENCE": "x",
            "CALLBOARD_GATEWAY_OIDC_CLIENT": "",
            "CALLBOARD_GATEWAY_OIDC_CLIENT_SECRET": "",
        },
        {"CALLBOARD_WINDOW": "99"},
    ):
        try:
            from_environment(environment | wrong)
        except CallboardError as error:
            shown.append("".join(traceback.format_exception(error)))
        else:
            pytest.fail(f"{wrong} was taken")
    for store, dispatch in (("nosuch://user:hunter2@host/db", ""), (settings.store, "amqp://user:hunter2@host/0")):
        try:
            async with open_runtime(cb.App("x"), store, settings=settings, dispatch=dispatch):
                pytest.fail("it was opened")
        except CallboardError as error:
            shown.append("".join(traceback.format_exception(error)))
    assert "hunter2" not in "\n".join(shown)
    rebuilt = Settings(gateway=GatewaySettings(), telemetry=TelemetrySettings())
    assert rebuilt == Settings()
    assert masked(rebuilt)["gateway"]["secret"] == ""
