"""`callboard new` writes a project that works as it is, and nothing where something is already."""

import subprocess
import sys

import pytest

from tests.acceptance.cli.desk import Desk
from tests.browser.served import Served


def test_a_project_that_new_wrote_passes_its_own_tests_and_can_be_served(desk: Desk) -> None:
    said = desk("new", "order-desk").stdout
    assert "callboard dev order_desk" in said
    project = desk.folder / "order-desk"
    placeholders = [path for path in project.rglob("*") if path.is_file() and "$" in path.read_text("utf-8")]
    assert not placeholders
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=project, env=desk.environment, capture_output=True, text=True, timeout=60)
    assert "3 passed" in done.stdout, done.stdout + done.stderr
    served = Served(desk.folder, "order_desk", home=project)
    try:
        assert "flows: clerk, complaint" in served.said
    finally:
        served.close()


@pytest.mark.parametrize("name", ["Order", "2do", "json", "class", "a b", "callboard", "über", "-x-"])
def test_a_name_that_cannot_be_a_package_is_refused(desk: Desk, name: str) -> None:
    err = desk("new", "--", name, expect=2).stderr
    assert "cannot be a project's name" in err
    assert not (desk.folder / name).exists()


def test_nothing_is_overwritten(desk: Desk) -> None:
    (desk.folder / "shop").mkdir()
    assert "is there already" in desk("new", "shop", expect=1).stderr
    assert not list((desk.folder / "shop").iterdir())
