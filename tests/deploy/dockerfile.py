"""A Dockerfile, read as a list of instructions."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.manifests import DEPLOY


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its word, and the rest of it on one line."""

    word: str
    rest: str


def instructions(path: Path = DEPLOY / "Dockerfile") -> list[Instruction]:
    """All instructions in order, continued lines joined, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in lines if line.strip()]


def stages(path: Path = DEPLOY / "Dockerfile") -> list[list[Instruction]]:
    """The instructions of each stage; the last one is what is shipped."""
    found: list[list[Instruction]] = []
    for each in instructions(path):
        if each.word == "FROM":
            found.append([])
        found[-1].append(each)
    return found
