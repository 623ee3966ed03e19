"""The images hold what is pinned, no tools, and nobody is root in them."""

import json
import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.deploy.dockerfile import instructions, stages
from tests.deploy.manifests import DEPLOY, ROOT, compose, of_kind

FILES = [pytest.param(DEPLOY / name, id=name) for name in ("Dockerfile", "Dockerfile.app")]
REQUIREMENTS = ROOT / "requirements" / "fleet.txt"


@pytest.mark.parametrize("path", FILES)
def test_every_image_it_is_made_of_is_pinned_by_a_tag(path: Path) -> None:
    for each in instructions(path):
        if each.word == "FROM":
            assert re.fullmatch(r"[a-z./-]+:\d+[\w.-]*(?: AS \w+)?", each.rest), each.rest


@pytest.mark.parametrize("path", FILES)
def test_nothing_is_fetched_but_hashed_packages(path: Path) -> None:
    for each in instructions(path):
        assert each.word != "ADD"
        assert not re.search(r"\b(curl|wget|git clone|apt-get|https?://(?!127\.0\.0\.1))", each.rest)
        if "pip" in each.rest and " install " in f" {each.rest} ":
            assert "--require-hashes" in each.rest or ("--no-index" in each.rest and "--no-deps" in each.rest)


def test_what_is_shipped_has_no_tools_and_no_root() -> None:
    last = stages()[-1]
    words = [each.word for each in last]
    (user,) = [each.rest for each in last if each.word == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "by number, so that Kubernetes can tell that it is not root"
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert [each.rest for each in last if each.word == "RUN"] == [
        "pip uninstall --yes --quiet --root-user-action=ignore pip"
    ]
    assert [each.rest for each in last if each.word == "ENTRYPOINT"] == ['["callboard"]']
    pods = [each["spec"]["template"]["spec"] for each in (*of_kind("Deployment"), *of_kind("Job"))]
    assert {f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" for pod in pods} == {user}


@pytest.mark.parametrize("path", FILES)
def test_an_entry_point_and_a_command_are_lists_so_that_signals_arrive(path: Path) -> None:
    for each in instructions(path):
        if each.word in ("ENTRYPOINT", "CMD"):
            assert json.loads(each.rest)


def test_only_what_is_copied_is_sent_to_the_builder_and_all_of_it_is_there() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    patterns = [line for line in lines if line and not line.startswith("#")]
    sent = {line[1:] for line in patterns if line.startswith("!")}
    copied = {
        source
        for each in instructions()
        if each.word == "COPY" and "--from" not in each.rest
        for source in each.rest.split()[:-1]
    }
    assert patterns[0] == "*"
    assert sent == copied
    assert all((ROOT / source).exists() for source in copied)


def test_requirements_are_hashed_and_name_no_index() -> None:
    text = REQUIREMENTS.read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index-url" not in text
    pinned = [line for line in text.splitlines() if re.match(r"[a-z]", line)]
    assert all(re.match(r"[\w.-]+==\S+ .*\\$", line) for line in pinned)
    assert text.count("--hash=sha256:") > len(pinned)
    names = {line.partition("==")[0] for line in pinned}
    assert {"asyncpg", "redis", "msgspec"} <= names
    assert not names & {"pytest", "hatchling", "uv"}


def test_make_lock_writes_them() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"uv export .*--extra postgres --extra redis --extra models -o requirements/fleet\.txt", makefile)


def test_the_images_of_compose_are_pinned() -> None:
    services = compose()["services"]
    assert services["postgres"]["image"].startswith("postgres:17")
    assert services["redis"]["image"].startswith("redis:7")


def test_the_health_check_tells_a_worker_that_lives_from_one_that_does_not(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("import callboard as cb\n\napp = cb.App('shop')\n")
    command = [sys.executable, "-m", "callboard.apps.cli", "worker", "shop", "--health-port", "0"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        port = next(found[1] for line in process.stderr if (found := re.search(r"answers on port (\d+)", line)))
        assert subprocess.run(health_check(port), timeout=30).returncode == 0
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert answer.status == 200
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert subprocess.run(health_check(port), stderr=subprocess.DEVNULL, timeout=30).returncode != 0


def health_check(port: str) -> list[str]:
    """The image's own, at another port."""
    (check,) = [each.rest for each in instructions() if each.word == "HEALTHCHECK"]
    words: list[str] = json.loads(check.partition("CMD ")[2])
    assert shlex.join(words).count("8081") == 1
    return [sys.executable, *(word.replace("8081", port) for word in words[1:])]
