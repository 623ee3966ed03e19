"""What lies in the package is in the wheel, whatever its suffix: templates, pages' assets, SQL, and nothing else is."""

from hatchling.builders.wheel import WheelBuilder

from tests.house.tree import ROOT


def test_every_file_of_the_package_is_in_the_wheel_and_nothing_else() -> None:
    builder = WheelBuilder(str(ROOT))
    packed = {each.distribution_path for each in builder.recurse_included_files()}
    source = ROOT / "src"
    there = {
        path.relative_to(source).as_posix()
        for path in (source / "callboard").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == there
    assert {path.rpartition(".")[2] for path in packed} >= {"py", "typed", "sql", "lua", "html", "css", "js", "txt"}
