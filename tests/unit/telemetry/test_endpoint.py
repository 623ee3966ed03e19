"""Where telemetry goes, and who is asked to keep what secret."""

from base64 import b64decode

import pytest

from callboard.domain.errors import InputInvalid
from callboard.telemetry.endpoint import endpoint
from callboard.telemetry.sampling import Sampling


def test_an_address_and_the_presets() -> None:
    assert endpoint("", (), {}) is None
    own = endpoint("http://collector:4318/", ("x-team=a b",), {})
    assert own is not None
    assert (own.traces, own.metrics) == ("http://collector:4318/v1/traces", "http://collector:4318/v1/metrics")
    assert own.headers == (("x-team", "a b"),)
    jaeger = endpoint("jaeger", (), {})
    assert jaeger is not None
    assert (jaeger.traces, jaeger.metrics) == ("http://localhost:4318/v1/traces", "")
    there = endpoint("jaeger=https://tracing.example.com", (), {})
    assert there is not None
    assert there.traces == "https://tracing.example.com/v1/traces"
    keys = {"LANGFUSE_PUBLIC_KEY": "pk-lf-1", "LANGFUSE_SECRET_KEY": "sk-lf-2"}
    langfuse = endpoint("langfuse", (), keys)
    assert langfuse is not None
    assert (langfuse.traces, langfuse.metrics) == ("https://cloud.langfuse.com/api/public/otel/v1/traces", "")
    login = dict(langfuse.headers)["Authorization"].removeprefix("Basic ")
    assert b64decode(login) == b"pk-lf-1:sk-lf-2"
    assert "sk-lf" not in repr(langfuse)
    assert login not in repr(langfuse)
    own_server = endpoint("langfuse=http://localhost:3000", ("authorization=Basic eA==",), {})
    assert own_server is not None
    assert own_server.traces == "http://localhost:3000/api/public/otel/v1/traces"


@pytest.mark.parametrize(
    ("text", "headers", "said"),
    [
        ("collector:4318", (), "write http://host:4318"),
        ("langfuse", (), "LANGFUSE_SECRET_KEY"),
        ("http://u:secret@h:1", ("no equals sign secret",), "name=value"),
        ("http://h:1", ("x=a\r\nb: c",), "name=value"),
    ],
)
def test_what_cannot_work_is_said_without_the_secret(text: str, headers: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputInvalid) as wrong:
        endpoint(text, headers, {})
    assert said in str(wrong.value)
    assert "secret@" not in str(wrong.value)
    assert "sign secret" not in str(wrong.value)


def test_a_share_of_traces_is_the_same_for_all_and_grows_without_losing_any() -> None:
    ids = [f"{at * 0x9E3779B97F4A7C15 & (1 << 128) - 1:032x}" for at in range(1, 4_000)]
    ids = [f"{int(each[16:], 16) * 0xD1342543DE82EF95 & (1 << 128) - 1:032x}" for each in ids]
    few = {each for each in ids if Sampling(share=0.1).wanted(each)}
    many = {each for each in ids if Sampling(share=0.5).wanted(each)}
    assert few < many
    assert 0.4 < len(many) / len(ids) < 0.6
    assert all(Sampling(share=1.0).wanted(each) for each in ids)
    assert not any(Sampling(share=0.0).wanted(each) for each in ids)
