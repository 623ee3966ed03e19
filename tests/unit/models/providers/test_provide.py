"""A reference names a provider and a model; what is wrong with it is said before anything is asked."""

import subprocess
import sys
from pathlib import Path

import pytest

from callboard.domain.errors import InputInvalid, ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.models import Ability, info_of
from callboard.models.providers import known, provide
from tests.unit.models.providers.asking import answered
from tests.unit.models.providers.front import Front, chat

ELSEWHERE = """
from callboard.models.providers import Opened, Provider
from callboard.models.providers.openai import open_chat, whole

PROVIDER = Provider(extra="elsewhere", libraries=("{library}",), open=open_chat, whole=whole)
OTHER = "no provider"
"""


def test_every_module_of_the_package_is_a_provider() -> None:
    found = known()
    assert {"openai", "openai-responses", "openai-compatible", "anthropic", "google", "mistral", "bedrock"} <= {*found}
    for name in found:
        model = provide(f"{name}:some-model", url="http://127.0.0.1:1/v1")
        assert model.name == f"{name}:some-model"
        assert (model.info.name, model.info.upstream) == ("some-model", name)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("gpt-5", "not of the form provider:model"),
        ("openai:", "not of the form provider:model"),
        (":gpt-5", "not of the form provider:model"),
        ("openia:gpt-5", "there is no provider 'openia'; take one of anthropic, bedrock, google,"),
        ("bridge:x", "there is no provider 'bridge'"),
        ("openai-compatible:x", "has no address of its own"),
    ],
)
def test_a_reference_that_names_nothing_is_refused(reference: str, said: str) -> None:
    with pytest.raises(InputInvalid, match=said):
        provide(reference)


def test_an_unknown_option_is_refused_by_name() -> None:
    with pytest.raises(InputInvalid, match="no option contxt; it has abilities, context"):
        provide("openai:gpt-5", contxt=1)


def test_what_is_known_better_by_the_caller_stands() -> None:
    abilities = frozenset({Ability.TOOLS})
    model = provide("openai-responses:gpt-5", upstream="eu", context=1000, max_output=10, abilities=abilities)
    info = info_of(model)
    assert (info.provider, info.upstream, info.context, info.max_output) == ("openai", "eu", 1000, 10)
    assert info.lacks([Ability.IMAGES]) == [Ability.IMAGES]


def test_naming_a_model_imports_no_library() -> None:
    code = "import sys; from callboard.models.providers import *; provide('openai:x'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "callboard.models.providers.openai" in loaded
    assert not loaded & {"pydantic_ai", "openai", "httpx2", "genai_prices", "anthropic"}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    about = tmp_path / "elsewhere-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[callboard.providers]\nelsewhere = elsewhere_provider:PROVIDER\nbroken = elsewhere_provider:OTHER\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "elsewhere_provider", raising=False)
    return tmp_path / "elsewhere_provider.py"


async def test_another_package_adds_a_provider_with_one_file(installed: Path, here: Front) -> None:
    installed.write_text(ELSEWHERE.format(library="openai"))
    assert "elsewhere" in known()
    here.say(chat({"content": "from elsewhere"}))
    answer = await answered(provide("elsewhere:m", url=f"{here.url}/v1", api_key="k"))
    assert (answer.message.text, answer.provider) == ("from elsewhere", "elsewhere")


def test_a_missing_library_is_named_with_what_installs_it(installed: Path) -> None:
    installed.write_text(ELSEWHERE.format(library="nowhere_to_be_found"))
    with pytest.raises(InputInvalid, match=r'needs nowhere_to_be_found.*pip install "callboard\[elsewhere\]"'):
        provide("elsewhere:m")


def test_what_is_registered_and_is_no_provider_is_refused(installed: Path) -> None:
    installed.write_text(ELSEWHERE.format(library="openai"))
    with pytest.raises(InputInvalid, match="'broken' is no Provider; it is of type str"):
        provide("broken:m")


@pytest.mark.parametrize(
    ("reference", "variable"),
    [
        ("openai:x", "OPENAI_API_KEY"),
        ("openai-responses:x", "OPENAI_API_KEY"),
        ("anthropic:x", "ANTHROPIC_API_KEY"),
        ("google:x", "GOOGLE_API_KEY or GEMINI_API_KEY"),
        ("mistral:x", "MISTRAL_API_KEY"),
    ],
)
async def test_without_a_key_the_first_call_says_which(
    reference: str, variable: str, monkeypatch: pytest.MonkeyPatch, here: Front
) -> None:
    for name in ("OPENAI", "ANTHROPIC", "GOOGLE", "GEMINI", "MISTRAL"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)
    model = provide(reference, url=here.url)
    for _ in range(2):  # also the second time: nothing half-open is kept
        with pytest.raises(ModelFailed, match=f"{reference} has no key; set {variable}") as caught:
            await answered(model)
        assert caught.value.kind is ErrorKind.AUTHENTICATION
        assert caught.value.detail == {"sent": False}
    assert here.asked == []


async def test_a_key_that_appears_later_is_used(monkeypatch: pytest.MonkeyPatch, here: Front) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    model = provide("openai:x", url=f"{here.url}/v1")
    with pytest.raises(ModelFailed):
        await answered(model)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-late")
    here.say(chat({"content": "now"}))
    assert (await answered(model)).message.text == "now"
    assert here.asked[0].headers["authorization"] == "Bearer sk-late"
