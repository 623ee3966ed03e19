"""What is declared wrongly is said where it is declared: the field, the value and what to do, never a traceback."""

from pathlib import Path
from typing import Any

import pytest

import callboard as cb
from callboard.agents.configuration import read_configuration
from callboard.domain.errors import InputInvalid
from callboard.testing import ScriptedModel, runtime
from tests.acceptance.cli.desk import ECHO, Desk, tickets

MISTAKES = [
    ("budgets = 5", "budgets"),
    ("budgets = [5]", "budgets[0]"),
    ('[[budgets]]\nscope = "planet"\nusd = "1.00"', "planet"),
    ('[[budgets]]\nscope = "tenant"', "limits nothing"),
    ('[[budgets]]\nscope = "tenant"\nusd = 1.5', "usd"),
    ('[[budgets]]\nscope = "tenant"\nusd = "a lot"', "a lot"),
    ('[[budgets]]\nscope = "tenant"\ncalls = -1', "calls"),
    ('[[budgets]]\nscope = "tenant"\ncalls = 1\nperiod = "week"', "week"),
    ('[[budgets]]\nscope = "tenant"\ncalls = 1\nwarn = [2.0]', "warn"),
    ('[budgets]\nscope = "tenant"', "budgets"),
    ("upstreams = 7", "upstreams"),
    ("[upstreams]\nshop = 7", "upstreams.shop"),
    ("[upstreams.shop]\nconcurrency = 0", "concurrency"),
    ('[upstreams.shop]\nconcurrency = "many"', "concurrency"),
    ("[upstreams.shop]\ntotal = -1", "total"),
    ("[upstreams.shop]\ntotal = nan", "total"),
    ("[upstreams.shop]\nretry = 5", "retry"),
    ("[upstreams.shop]\nretry = { attempts = 0 }", "attempts"),
    ("[upstreams.shop]\nretry_share = 7.0", "retry_share"),
    ("[upstreams.shop]\nrequests = { limit = 0, period = 60 }", "limit"),
    ("[upstreams.shop]\nbreaker = { failures = 0 }", "failures"),
    ('[upstreams.shop]\notherwise = "pray"', "pray"),
    ("[upstreams.shop]\ncolour = 1", "colour"),
    ("[routes]\nsmart = 5", "routes.smart"),
    ("[routes]\nsmart = []", "no candidates"),
    ('[routes]\nsmart = ["a", 5]', "routes.smart"),
    ('[routes]\nsmart = ["a", "a"]', "twice"),
    ("[routes.smart]\ncandidates = 5", "candidates"),
    ("[routes.smart]\ncandidates = [5]", "candidates"),
    ('[routes.smart]\ncandidates = ["a"]\norder = "best"', "best"),
    ('[routes.smart]\ncandidates = ["a"]\nmax_usd = "x"', "x"),
    ('[routes.smart]\ncandidates = [{ model = "a", quality = 3 }]', "quality"),
    ('[routes.smart]\ncandidates = [{ quality = 0.3 }]', "model"),
    ('[routes.smart]\ncolour = 1\ncandidates = ["a"]', "colour"),
    ("[models]\nlocal = 5", "models.local"),
    ("[models.local]\nurl = 5", "models.local"),
    ('[models.local]\nreference = "openai:gpt-5"\ncolour = 1', "colour"),
    ('[prices]\n"a" = 5', "prices.a"),
    ('[prices."a"]\ninput = 1.25\noutput = "1"', "input"),
    ('[prices."a"]\ninput = "-1"\noutput = "1"', "-1"),
    ('[prices."a"]\ninput = "1"', "output"),
    ("colours = 1", "colours"),
    ("this is not toml", "not TOML"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "named"), MISTAKES, ids=[text.replace("\n", "; ") for text, _ in MISTAKES])
def test_each_mistake_in_a_configuration_is_named_with_its_file(text: str, named: str, tmp_path: Path) -> None:
    path = tmp_path / "callboard.toml"
    path.write_text(text)
    with pytest.raises(InputInvalid) as caught:
        read_configuration(path)
    assert named in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b'[routes]\nsmart = "\xe9"'])
def test_a_configuration_that_is_no_text_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "callboard.toml"
    path.write_bytes(data)
    with pytest.raises(InputInvalid, match=r"callboard\.toml"):
        read_configuration(path)


@pytest.mark.parametrize("path", ["gone.toml", "."])
def test_a_configuration_that_cannot_be_read_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="cannot be read"):
        read_configuration(tmp_path / path)


def declared(text: str, tmp_path: Path) -> cb.App:
    path = tmp_path / "callboard.toml"
    path.write_text(text)
    return cb.App("wrong", config=path)


MODELS = [
    ('[models.local]\nreference = "openai:x"\noptions = { url = "http://127.0.0.1:1" }', "url"),
    ('[models.local]\nreference = "openai:x"\noptions = { api_key = "k" }', "api_key"),
    ('[models.local]\nreference = "nobody:gpt"', "nobody:gpt"),
    ('[models.local]\nreference = "gpt"', "gpt"),
    ('[routes]\nsmart = "gone"', "gone"),
    ('[models.local]\nreference = "local"\n[routes]\nsmart = "local"', "local"),
]


@pytest.mark.parametrize(("text", "named"), MODELS)
async def test_a_model_that_nobody_knows_is_found_when_the_runtime_opens(text: str, named: str, tmp_path: Path) -> None:
    app = declared(text, tmp_path)
    app.agent("clerk", model=ScriptedModel(["yes"]))
    with pytest.raises(InputInvalid, match=named):
        async with runtime(app):
            pass


ASKED = [
    ('[models.local]\nreference = "openai-compatible:x"', "url"),
    ('[models.local]\nreference = "openai:x"\nkey_env = "NO_SUCH_KEY"', "NO_SUCH_KEY"),
    ('[models.local]\nreference = "openai:x"\noptions = { colour = 1 }', "colour"),
    ('[models.local]\nreference = "openai:x"\noptions = { context = "big" }', "context"),
    ('[models.local]\nreference = "openai:x"\noptions = { abilities = ["flying"] }', "flying"),
    ('[models.local]\nreference = "openai:x"\nurl = "nowhere"', "nowhere"),
]


@pytest.mark.parametrize(("text", "named"), ASKED)
async def test_a_model_that_cannot_be_made_here_fails_the_call_with_the_reason(
    text: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    app = declared(text, tmp_path)
    app.agent("clerk", model="local")
    async with runtime(app) as test:
        with pytest.raises(cb.RunFailed) as caught:
            await test.run("clerk", "go")
    assert named in str(caught.value), caught.value
    assert caught.value.error.kind != "bug", caught.value


POLICIES: list[dict[str, Any]] = [
    {"retry": {"attempts": "many"}},
    {"retry": 5},
    {"breaker": {"failures": 0}},
    {"breaker": "none"},
    {"requests": 5},
    {"concurrency": "many"},
    {"total": "long"},
    {"otherwise": "pray"},
    {"colour": "red"},
    {"retry_share": "half"},
]


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_an_upstream_that_cannot_be_is_refused_where_it_is_declared(policy: dict[str, Any]) -> None:
    app = cb.App("wrong")
    with pytest.raises(InputInvalid) as caught:
        app.upstream("shop", **policy)
    assert next(iter(policy)) in str(caught.value)


@pytest.mark.parametrize("limits", [
    {"usd": 1.5}, {"calls": "many"}, {"colour": 1, "calls": 1}, {"calls": 1, "period": "week"},
    {"seconds": float("nan")}, {"tokens": True}, {"calls": 1, "warn": "all"}, {"calls": 1.5},
], ids=str)  # fmt: skip
def test_a_budget_that_cannot_be_is_refused_where_it_is_declared(limits: dict[str, Any]) -> None:
    with pytest.raises(InputInvalid):
        cb.App("wrong").budget("tenant", **limits)


VERBS = [
    ["upstreams", "list", "wrong:app"],
    ["doctor", "wrong:app"],
    ["run", "wrong:clerk", "--input", "in.jsonl", "--output", "out.jsonl"],
    ["budgets", "list", "--app", "wrong:app"],
    ["worker", "wrong:app"],
    ["chaos", "wrong:clerk", "--input", "in.jsonl"],
]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_the_command_line_says_it_in_words(desk: Desk, verb: list[str]) -> None:
    desk.app(ECHO)
    desk.input(tickets(1))
    desk.run()  # there is a store
    for text, named in [
        ("budgets = 5", "budgets"),
        ("[upstreams]\nshop = 7", "shop"),
        ('[routes]\nsmart = "gone"', "gone"),
    ]:
        (desk.folder / "wrong.toml").write_text(text)
        (desk.folder / "wrong.py").write_text(WRONG)
        desk.input(['"go"'])
        done = desk(*verb, expect=None)
        assert done.returncode != 0, done
        assert named in done.stderr + done.stdout, done


WRONG = """
import callboard as cb

app = cb.App("wrong", config="wrong.toml")
clerk = app.agent("clerk", model=cb.ScriptedModel(["yes"]))
"""
