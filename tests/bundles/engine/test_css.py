"""Style sheets take along what they name."""

from __future__ import annotations

from bundles.engine.css import self_contained
from bundles.engine.files import Files
from tests.bundles.engine.conftest import MakeTree


def made(make_tree: MakeTree, sheet: str, **files: str | bytes) -> tuple[str, list[str]]:
    renamed = {name.replace("_", "/", 1).replace("__", "."): content for name, content in files.items()}
    warnings: list[str] = []
    tree = make_tree({"css/main.css": sheet, **renamed})
    return self_contained("css/main.css", Files(tree), warnings.append), warnings


def test_files_become_data(make_tree: MakeTree) -> None:
    for written in ("url(../img/a.png)", "url('../img/a.png?x#y')", 'url( "/img/a.png" )'):
        text, warnings = made(make_tree, f"a {{ background: {written} }}", img_a__png=b"PNG")
        assert 'url("data:image/png;base64,UE5H' in text and warnings == []


def test_a_fragment_stays(make_tree: MakeTree) -> None:
    text, _ = made(make_tree, "a { fill: url(../img/a.svg#part) }", img_a__svg="<svg/>")
    assert text.endswith('#part") }')


def test_sheets_are_put_in_place(make_tree: MakeTree) -> None:
    sheet = "@import 'b.css';\n@import url(c.css) screen and (width > 1px);\nz { top: 0 }"
    text, _ = made(make_tree, sheet, css_b__css="b { top: 0 }", css_c__css="c { top: 0 }")
    assert "b { top: 0 }" in text and "@media screen and (width > 1px) {\nc { top: 0 }\n}" in text
    assert "@import" not in text


def test_sheets_that_import_each_other_end(make_tree: MakeTree) -> None:
    text, _ = made(make_tree, "@import 'b.css'; a{}", css_b__css="@import 'main.css'; b{}")
    assert text.count("a{}") == text.count("b{}") == 1


def test_comments_strings_and_other_sites_are_left_alone(make_tree: MakeTree) -> None:
    sheet = "/* url(x.png) @import 'y.css'; */ a { content: 'url(z.png)'; b: url(https://x.test/a.png) url(#id) }"
    assert made(make_tree, sheet) == (sheet, [])


def test_what_is_missing_is_a_warning(make_tree: MakeTree) -> None:
    text, warnings = made(make_tree, "a { b: url(gone.png) url(../../../etc/hostname) }")
    assert "url(gone.png)" in text and len(warnings) == 2
