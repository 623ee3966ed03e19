"""What is private is taken out, and what only looks like it stays."""

import time

import pytest

from callboard.telemetry.redaction import redact, redacted, without_secrets

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("write to mia.o'hara+x@example.co.uk today", "write to [e-mail] today"),
        ("card 4111 1111 1111 1111, order 4111 1111 1111 1112", "card [card], order 4111 1111 1111 1112"),
        ("IBAN DE89 3704 0044 0532 0130 00.", "IBAN [iban]."),
        ("not one: DE88 3704 0044 0532 0130 00.", "not one: DE88 3704 0044 0532 0130 00."),
        ("call +49 (30) 901820-12 or 555-867-5309", "call [phone] or [phone]"),
        ("Authorization: Bearer abcdef0123456789", "Authorization: Bearer [secret]"),
        ("key sk-proj-abcdefghijklmnopqrstuv ok", "key [secret] ok"),
        ("cb_abcdefghijkl_QmFzZTY0LXNlY3JldC1vZi0yNTYtYml0", "[secret]"),
        ("api_key=hunter2hunter", "api_key=[secret]"),
        ("postgresql://app:hunter2@db/x", "postgresql://app:[password]@db/x"),
        (f"a {KEY} b", "a [private key] b"),
        ("-----BEGIN PRIVATE KEY-----\ncut off", "[private key]"),
        ("order #W7841025, item 7040455469, 2026-11-21 17:25, v1.2.3", None),
        ("run 01m7zjbneevweyzf8e388m8qs9 took 1234567890123 ns", None),
    ],
)
def test_each_rule(text: str, left: str | None) -> None:
    assert redact(text) == (text if left is None else left)


def test_data_keeps_its_shape() -> None:
    data = {"user": "mia@example.com", "list": [1, True, None, 4111111111111111], "password": "x", "token": 7}
    assert redacted(data) == {"user": "[e-mail]", "list": [1, True, None, "[card]"], "password": "[secret]", "token": 7}


def test_logs_lose_secrets_only() -> None:
    assert without_secrets("mia@example.com has token=abcdef") == "mia@example.com has token=[secret]"


@pytest.mark.parametrize("text", ["a" * 50_000, "1 " * 25_000, "a@" * 25_000, "-----BEGIN " * 4_000, "AB12 " * 10_000])
def test_no_text_takes_long(text: str) -> None:
    begun = time.process_time()
    redact(text)
    assert time.process_time() - begun < 1.0
