"""The page on providers: its blocks run, and its provider of one file works."""

import re
from pathlib import Path

import pytest

from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.models import providers
from callboard.models.providers import known, provide
from tests.unit.models.providers.asking import answered
from tests.unit.models.providers.front import Front, chat

PAGE = (Path(__file__).parents[4] / "docs/providers.md").read_text(encoding="utf-8")
ASK, ADD = re.findall(r"^```py(?:thon)?\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_table_lists_every_provider() -> None:
    listed = set(re.findall(r"^\| `([a-z-]+):MODEL`", PAGE, re.MULTILINE))
    ours = {path.stem.replace("_", "-") for path in Path(providers.__path__[0]).glob("[a-z]*.py")}
    assert listed == ours
    assert ours <= set(known())


async def test_the_same_question_goes_to_any_provider(here: Front) -> None:
    names: dict[str, object] = {}
    exec(compile(ASK, "page", "exec"), names)  # noqa: S102 - our own page
    here.say(chat({"content": "Paris"}))
    assert await names["main"]("openai-compatible:my-model", f"{here.url}/v1") == "Paris"  # type: ignore[operator]


async def test_a_provider_is_one_file(here: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = tmp_path / "acme_for_callboard-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-for-callboard\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[callboard.providers]\nacme = acme_for_callboard:PROVIDER\n")
    (tmp_path / "acme_for_callboard.py").write_text(ADD)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("ACME_API_KEY", "sk-acme")
    model = provide("acme:anvil", url=f"{here.url}/v1")
    whole = chat({"content": "beep"})
    here.say(whole, whole[:-20])
    assert (await answered(model, metadata={"a": "b"})).message.text == "beep"
    assert (here.asked[0].headers["authorization"], here.asked[0].body["tags"]) == ("Bearer sk-acme", ["a"])
    with pytest.raises(ModelFailed) as caught:
        await answered(model)
    assert caught.value.kind is ErrorKind.MALFORMED_OUTPUT
