"""No lock-in: a provider is named by its adapter and by whoever configures it, nowhere else."""

import re

from tests.house.tree import ROOT

_PROVIDERS = re.compile(
    r"openai|anthropic|claude|\bgpt|mistral|gemini|google(?!\s+style)|bedrock|\baws\b|ollama|azure|groq|vllm", re.I
)


def naming(*trees: str) -> set[str]:
    """The files below these folders that name a provider."""
    return {
        path.relative_to(ROOT).as_posix()
        for tree in trees
        for path in (ROOT / tree).rglob("*")
        if path.suffix in {".py", ".toml", ".sql", ".md", ".lua"}
        and _PROVIDERS.search(path.read_text(encoding="utf-8"))
    }


def test_only_adapters_name_a_provider() -> None:
    # A door that speaks like a provider's interface is an adapter, too; the application mounts it.
    adapters = ("src/callboard/models/providers/", "src/callboard/apps/gateway/openai/")
    found = naming("src")
    assert {path for path in found if not path.startswith(adapters)} <= {"src/callboard/apps/gateway/application.py"}
    assert len(found) >= 8, "the adapters themselves are not found any more"


def test_the_example_names_its_models_in_one_line_of_its_configuration() -> None:
    assert naming("examples/retail") <= {"examples/retail/callboard.toml"}
    lines = (ROOT / "examples/retail/callboard.toml").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("smart =")] == ['smart = "scripted"']
