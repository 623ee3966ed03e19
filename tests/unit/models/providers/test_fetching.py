"""Addresses in messages: nobody is made to fetch what only this machine or its network has."""

from collections.abc import Sequence

import pytest

from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Media, Message, Part, Role, Text, user
from callboard.models import ModelRequest
from callboard.models.providers.bridge.fetching import check_media
from tests.unit.models.providers.asking import answered, model_at
from tests.unit.models.providers.front import Front, plain

NAMES = {
    "public.example": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
    "inside.example": ["10.0.0.7"],
    "both.example": ["93.184.215.14", "127.0.0.1"],
    "metadata.example": ["169.254.169.254"],
    "mapped.example": ["::ffff:10.0.0.7"],
    "127.0.0.1": ["127.0.0.1"],
    "2130706433": ["127.0.0.1"],
    "::1": ["::1"],
}
REFUSED = {
    "http://public.example/a.png": "not https",
    "https://inside.example/a.png": "not public",
    "https://both.example/a.png": "not public",
    "https://metadata.example/latest": "not public",
    "https://mapped.example/": "not public",
    "https://127.0.0.1/a.png": "not public",
    "https://2130706433/": "not public",
    "https://[::1]:8080/": "not public",
    "https://nowhere.example/": "no address",
    "https://public.example:0/": "no https address",
    "https://[::1/": "no https address",
    "file:///etc/passwd": "no https address",
    "gs://bucket/a.png": "no https address",
    "https:///a.png": "no https address",
}
ADAPTERS = ("openai:m", "openai-responses:m", "anthropic:claude-sonnet-4-6", "mistral:m", "google:gemini-2.5-pro",
            "ollama:m", "openai-compatible:m", "bedrock:amazon.nova-lite-v1:0")  # fmt: skip


async def resolve(host: str, port: int) -> Sequence[str]:
    if host not in NAMES:
        raise OSError("name or service not known")
    return NAMES[host]


def asked(*refs: str) -> ModelRequest:
    parts: tuple[Part, ...] = (Text("look"), *(Media(ref, "image/png") for ref in refs))
    return ModelRequest(messages=(user("hi"), Message(Role.USER, parts)), media={"abc": b"x"})


@pytest.mark.parametrize("ref", REFUSED)
async def test_what_is_not_public_is_refused_and_the_part_is_named(ref: str) -> None:
    with pytest.raises(ModelFailed, match=REFUSED[ref]) as refused:
        await check_media(asked("https://public.example/a.png", ref), (), resolve)
    assert refused.value.kind is ErrorKind.INVALID_REQUEST
    assert refused.value.detail == {"sent": False, "field": "messages[1].parts[2].ref"}


async def test_public_addresses_bytes_and_named_hosts_pass() -> None:
    looked: list[str] = []

    async def resolved(host: str, port: int) -> Sequence[str]:
        looked.append(host)
        return await resolve(host, port)

    await check_media(asked("https://public.example/a", "https://public.example/b", "blob:abc", "abc"), (), resolved)
    assert looked == ["public.example"], "once each"
    await check_media(asked("http://inside.example/a"), ("inside.example",), resolved)
    assert looked == ["public.example"]


@pytest.mark.parametrize("reference", ADAPTERS)
async def test_no_adapter_has_an_address_of_this_machine_fetched(here: Front, reference: str) -> None:
    """`here` is both the provider and the host that must not be fetched from."""
    options = {"region": "eu-central-1"} if reference.startswith("bedrock") else {}
    at = here.url.replace("http://", "https://").replace("127.0.0.1", "localhost")
    message = Message(Role.USER, (Text("look"), Media(f"{at}/a.png", "image/png")))
    with pytest.raises(ModelFailed, match="not public") as refused:
        await answered(model_at(here, reference, **options), message)
    assert refused.value.detail["field"] == "messages[0].parts[1].ref"
    assert (here.asked, here.connections) == ([], 0)


@pytest.mark.parametrize(("reference", "kind"), [("google:gemini-2.5-pro", "image/png"), ("mistral:m", "text/plain")])
async def test_what_the_library_fetches_itself_is_guarded_by_it_too(here: Front, reference: str, kind: str) -> None:
    """A host that was named is told to providers; the library in this process does not fetch from it all the same."""
    here.say(plain({}))
    at = here.url.replace("127.0.0.1", "localhost")
    message = Message(Role.USER, (Text("look"), Media(f"{at}/a", kind)))
    with pytest.raises(ModelFailed, match="could not be read"):
        await answered(model_at(here, reference, media_hosts=["localhost"]), message)
    assert here.asked == []
