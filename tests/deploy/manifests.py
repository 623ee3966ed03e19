"""The deploy files, read."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
_SCHEMAS = Path(__file__).with_name("schemas")

Document = dict[str, Any]


def documents() -> list[tuple[str, Document]]:
    """All documents of Kubernetes, each with the file it stands in."""
    return [
        (path.relative_to(KUBERNETES).as_posix(), document)
        for path in sorted(KUBERNETES.rglob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]


def of_kind(kind: str) -> list[Document]:
    """All documents of a kind."""
    return [document for _, document in documents() if document["kind"] == kind]


def the(kind: str, name: str = "") -> Document:
    """The one document of a kind, or the one of that name."""
    (found,) = [each for each in of_kind(kind) if name in ("", each["metadata"]["name"])]
    return found


def compose() -> Document:
    """The compose file; variables are not filled in."""
    found: Document = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return found


def worker() -> Document:
    """The container of the workers."""
    return _container("callboard-worker")


def gateway() -> Document:
    """The container of the doors."""
    return _container("callboard-gateway")


def _container(deployment: str) -> Document:
    (container,) = the("Deployment", deployment)["spec"]["template"]["spec"]["containers"]
    found: Document = container
    return found


def faults(name: str, document: Document) -> list[str]:
    """What a schema of ours finds wrong with a document."""
    return [f"{list(error.instance_path)}: {error.message}" for error in _validator(name).iter_errors(document)]


def option(words: list[str], name: str) -> str:
    """What an option is given on a command line."""
    return words[words.index(name) + 1]


def seconds(text: str) -> int:
    """A duration as `1m30s` in seconds."""
    return sum(int(n) * {"h": 3_600, "m": 60, "s": 1}[unit] for n, unit in re.findall(r"(\d+)([hms])", text))


@cache
def _validator(name: str) -> Any:
    return jsonschema_rs.validator_for(json.loads((_SCHEMAS / f"{name}.json").read_text(encoding="utf-8")))
