"""The reference names every error code, every kind and every setting; every link of a page leads somewhere."""

import re
from pathlib import Path

import msgspec
import pytest

from callboard.domain import errors, kinds
from callboard.settings import EngineSettings, GatewaySettings, Settings, TelemetrySettings
from callboard.telemetry.exposition import Exposition, Levels
from callboard.telemetry.metrics import Metrics

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def classes() -> list[type[errors.CallboardError]]:
    found, todo = [], [errors.CallboardError]
    while todo:
        cls = todo.pop()
        if cls.__module__ in (errors.__name__, "callboard.domain.error", "callboard.domain.failures"):
            found.append(cls)
        todo.extend(cls.__subclasses__())
    return found


@pytest.mark.parametrize("cls", classes(), ids=lambda cls: cls.code)
def test_every_error_code_is_in_the_reference(cls: type[errors.CallboardError]) -> None:
    assert f"| `{cls.code}` | {cls.__name__} |" in REFERENCE


@pytest.mark.parametrize("kind", kinds.ErrorKind)
def test_every_kind_is_in_the_reference(kind: kinds.ErrorKind) -> None:
    assert re.search(rf"\b{kind}\b", REFERENCE)


def test_every_setting_is_in_the_reference_with_its_default() -> None:
    trees: dict[type[msgspec.Struct], str] = {
        Settings: "",
        EngineSettings: "",
        GatewaySettings: "gateway.",
        TelemetrySettings: "telemetry.",
    }
    for tree, prefix in trees.items():
        for field in msgspec.structs.fields(tree):
            if field.name in ("engine", "gateway", "telemetry"):
                continue
            row = re.search(rf"^\| `{prefix}{field.name}` \| (.*?) \|", REFERENCE.split("## Settings")[1], re.MULTILINE)
            assert row, field.name
            shown = row[1].replace(",", "").strip("`")
            default = "none" if field.default in (None, "", ()) else str(field.default).removesuffix(".0")
            expected = {"payload": "16 MiB", "body": "16 MiB", "backlog": "1 MiB"}.get(field.name, default)
            assert shown.split(" s")[0] == expected, field.name


def test_every_metric_is_in_the_reference_with_its_type() -> None:
    registry = Exposition(Metrics())
    registry.text(Levels(runs={"ready": 0}, oldest=0.0, active=0, capacity=1))
    told = {
        family.name + ("_total" if family.type == "counter" else ""): family.type
        for family in registry.registry.collect()
    }
    shown = dict(re.findall(r"^\| `(callboard_\w+)` \| (\w+) \|", REFERENCE.split("## Metrics")[1], re.MULTILINE))
    assert shown == told


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
