"""What the console sends to browsers: nothing inline, nothing from elsewhere, and what is others' unchanged."""

import re
from hashlib import sha256

from tests.house.tree import PACKAGE

CONSOLE = PACKAGE / "apps" / "console"
TEMPLATES = sorted((CONSOLE / "templates").rglob("*.html"))
STATIC = CONSOLE / "static"

# The strict policy forbids all of it, so that it would silently not work.
_INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle\s*=|<[^>]+\son[a-z]+\s*=|javascript:|\bhx-on|hx-vals=.js:")
_ELSEWHERE = re.compile(r"""(?:src|href|action|url\()\s*=?\s*["']?(?:https?:)?//""")


def test_no_template_has_script_or_style_of_its_own() -> None:
    assert len(TEMPLATES) > 20
    assert not [(path.name, found[0]) for path in TEMPLATES if (found := _INLINE.search(path.read_text("utf-8")))]


def test_no_template_turns_escaping_off() -> None:
    strays = re.compile(r"\|\s*safe\b|autoescape\s+false|Markup\(")
    assert not [path.name for path in TEMPLATES if strays.search(path.read_text("utf-8"))]


def test_nothing_comes_from_elsewhere() -> None:
    own = [path for path in STATIC.rglob("*") if path.suffix in (".css", ".js") and path.parent.name != "vendor"]
    strays = re.compile(r"@import|https?://(?!www\.w3\.org)")
    assert not [path.name for path in TEMPLATES if _ELSEWHERE.search(path.read_text("utf-8"))]
    assert not [path.name for path in own if strays.search(path.read_text("utf-8"))]


def test_every_form_that_posts_carries_the_token() -> None:
    without = []
    for path in TEMPLATES:
        for form in re.findall(r'<form[^>]*method="post".*?</form>', path.read_text("utf-8"), re.DOTALL):
            if "token(csrf)" not in form and path.name != "login.html":  # before the log-in there is none
                without.append(path.name)
    assert not without


def test_vendored_files_are_the_ones_that_were_taken() -> None:
    table = (STATIC / "vendor" / "VENDORED.md").read_text("utf-8")
    told = dict(re.findall(r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", table, re.MULTILINE))
    there = {path.name for path in (STATIC / "vendor").iterdir() if path.suffix in (".js", ".css")}
    assert told.keys() == there
    for name, digest in told.items():
        assert sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == digest, name
    licences = set(re.findall(r"(\S+\.LICENSE)", table))
    assert licences and all((STATIC / "vendor" / name).is_file() for name in licences)


def test_the_search_finds_what_it_guards_against() -> None:
    for bad in ("<script>x", '<p style="a">', '<a onclick="x">', "<style>", "href='javascript:x'", '<b  onload = "x">'):
        assert _INLINE.search(bad), bad
    for good in ('<script src="{{ x }}" defer></script>', "{{ ui.icon('on') }}", "<option value='a'>", "data-once=1"):
        assert not _INLINE.search(good), good
