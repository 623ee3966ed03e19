"""The image's commands, run: there is no container engine here, so they run in folders that stand for its stages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.dockerfile import Instruction, stages
from tests.deploy.manifests import ROOT


class Stage:
    """A folder that stands for a stage's root, with a Python of its own for the image's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workdir = root
        subprocess.run([sys.executable, "-m", "venv", root / "usr"], check=True, timeout=120)

    def apply(self, each: Instruction, other: "Stage | None") -> None:
        """Does what the instruction says."""
        match each.word:
            case "WORKDIR":
                self.workdir = self._inside(each.rest)
                self.workdir.mkdir(parents=True)
            case "COPY":
                self._copy(each.rest.split(), other)
            case "RUN":
                command = each.rest.replace("/opt/", f"{self.root}/opt/")
                environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
                environment["PATH"] = f"{self.root}/usr/bin:{os.environ['PATH']}"
                subprocess.run(["sh", "-ec", command], cwd=self.workdir, env=environment, check=True, timeout=900)

    def _copy(self, words: list[str], other: "Stage | None") -> None:
        source = ROOT
        if words[0].startswith("--from="):
            assert other is not None
            source, words = other.root, [words[1].lstrip("/"), words[2]]
        *names, target = words
        for name in names:
            place = self._inside(target)
            if (source / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source / name, place, symlinks=True, ignore=ignored, dirs_exist_ok=True)
            else:
                into = place / Path(name).name if target.endswith("/") or place.is_dir() else place
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source / name, into)

    def _inside(self, path: str) -> Path:
        return self.root / path[1:] if path.startswith("/") else self.workdir / path


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_the_image_is_built_by_its_commands_and_runs(tmp_path: Path) -> None:
    build, shipped = Stage(tmp_path / "build"), Stage(tmp_path / "shipped")
    first, last = stages()
    for each in first:
        build.apply(each, None)
    for each in last:
        shipped.apply(each, build)

    # The scripts of an environment name the folder that it was made in; in the image that is the same one.
    program = build.root / "opt" / "callboard" / "bin" / "callboard"
    told = subprocess.run([program, "version"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.startswith("callboard ")

    installed = {path.name.partition("-")[0] for path in shipped.root.glob("opt/callboard/lib/*/site-packages/*-info")}
    assert {"callboard", "asyncpg", "redis", "msgspec"} <= installed
    assert not installed & {"pip", "setuptools", "hatchling", "pytest", "uv"}
    assert not list(shipped.root.glob("usr/lib/*/site-packages/pip"))
    assert not list(shipped.root.glob("build"))
    python = program.with_name("python")
    subprocess.run([python, "-c", "import callboard.store.postgres, redis"], cwd=tmp_path, timeout=60, check=True)
