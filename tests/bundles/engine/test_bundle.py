"""The finished page: what is in it, what is escaped, and that it comes out the same wherever it is made."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bundles.engine.engine import Engine, EngineOptions
from bundles.engine.errors import BundleError, ErrorCode
from bundles.engine.packing import unpack
from bundles.engine.spec import BundleSpec, Progress, SiteShape, SourceTree
from tests.bundles.engine.conftest import NOW, MakeTree, write

ROOT = Path(__file__).resolve().parents[3]
PIECE = "import { draw } from '../lib/draw.mjs'; import { more } from './more.mjs'; draw(more); // as written"
FILES: dict[str, str | bytes] = {
    "main.mjs": "import { draw } from './lib/draw.mjs'; draw(0);",
    "lib/draw.mjs": "export function draw(somethingLong) { console.log(somethingLong) }",
    "pieces/dot.mjs": PIECE,
    "pieces/more.mjs": "export const more = '</script><!--<script>';",
}
Spec = Callable[..., BundleSpec]


class Parts(HTMLParser):
    """The script elements of a page, as a browser would cut them out."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.title = ""
        self._inside = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data
        elif self._inside == "title":
            self.title += data

    def part(self, name: str) -> Any:
        attributes, text = next(script for script in self.scripts if script[0].get("data-pack") == name)
        return json.loads(text) if attributes["type"] == "application/json" else unpack(text)


@pytest.fixture
def tree(make_tree: MakeTree) -> SourceTree:
    return make_tree(FILES)


def test_a_page_is_four_scripts(engine: Engine, tree: SourceTree, spec: Spec) -> None:
    parts = Parts(engine.bundle(spec(), tree).html)
    assert [script[0].get("data-pack") for script in parts.scripts] == ["core", "piece", "facts", None]
    assert set(parts.part("core")["files"]) == {"main.mjs", "lib/draw.mjs"}
    assert set(parts.part("piece")["files"]) == {"pieces/dot.mjs", "pieces/more.mjs"}


def test_nothing_in_a_page_asks_for_anything(engine: Engine, tree: SourceTree, spec: Spec) -> None:
    page = engine.bundle(spec(), tree).html.decode()
    assert not re.search(r"<(link|img|iframe|script [^>]*src)|document\.write|integrity=", page)


def test_the_runtime_is_minified_and_the_piece_is_as_written(engine: Engine, tree: SourceTree, spec: Spec) -> None:
    parts = Parts(engine.bundle(spec(), tree).html)
    assert "somethingLong" not in parts.part("core")["files"]["lib/draw.mjs"]["content"]
    assert "// as written" in parts.part("piece")["files"]["pieces/dot.mjs"]["content"]


def test_without_minifying_the_runtime_is_as_written_too(engine: Engine, tree: SourceTree, spec: Spec) -> None:
    plain, small = engine.bundle(spec(minify=False), tree), engine.bundle(spec(), tree)
    assert "somethingLong" in Parts(plain.html).part("core")["files"]["lib/draw.mjs"]["content"]
    assert plain.core_key != small.core_key
    assert (
        "somethingLong"
        not in Parts(engine.bundle(spec(), tree).html).part("core")["files"]["lib/draw.mjs"]["content"]
    )


def test_without_compression_the_parts_are_the_same(engine: Engine, tree: SourceTree, spec: Spec) -> None:
    plain, packed = (Parts(engine.bundle(spec(compress=on), tree).html) for on in (False, True))
    for name in ("core", "piece", "facts"):
        assert plain.part(name) == packed.part(name)
    assert plain.scripts[0][0]["type"] == "application/json"


@pytest.mark.parametrize("compress", [True, False])
def test_html_in_a_module_ends_no_script(engine: Engine, tree: SourceTree, spec: Spec, compress: bool) -> None:
    parts = Parts(engine.bundle(spec(compress=compress), tree).html)
    assert len(parts.scripts) == 4
    assert "</script><!--<script>" in parts.part("piece")["files"]["pieces/more.mjs"]["content"]


@pytest.mark.parametrize(
    "name",
    ["", "../up", "/etc/passwd", "a/../../b", "Dot", "a b", "<b>", "a\n", "dot.mjs", "é", "a//b", "x" * 101, "a\0"],
)
def test_a_piece_has_a_plain_name(name: str) -> None:
    with pytest.raises(BundleError) as caught:
        BundleSpec(NOW, piece=name)
    assert caught.value.code is ErrorCode.BAD_SPEC


@pytest.mark.parametrize("code", ["", "$", "a b", "<script>", "../x", "$$x", "x" * 101])
def test_a_code_is_plain(code: str) -> None:
    with pytest.raises(BundleError):
        BundleSpec(NOW, code=code)


def test_version_and_titles_are_text(engine: Engine, tree: SourceTree, spec: Spec) -> None:
    hostile = "</script><script>alert(1)//</title>\"'"
    made = engine.bundle(spec(version=hostile, author=hostile, shape=SiteShape(title="{name}" + hostile)), tree)
    parts = Parts(made.html)
    assert len(parts.scripts) == 4
    assert parts.title == "dot" + hostile
    assert parts.part("facts")["git"] == hostile
    assert parts.part("facts")["build"]["author"] == "scriptscriptalert1title"


def test_what_a_prefix_may_be() -> None:
    with pytest.raises(BundleError):
        SiteShape(prefix="ac'];alert(1)//")


def test_the_prefix_names_the_globals(engine: Engine, tree: SourceTree, spec: Spec) -> None:
    piece = Parts(engine.bundle(spec(density=3, shape=SiteShape(prefix="my")), tree).html).part("piece")
    assert piece["globals"]["myPACK_MODE"] is True
    assert piece["globals"]["myPACK_DENSITY"] == 3
    assert not [name for name in piece["globals"] if name.startswith("ac")]


def test_an_unknown_piece_is_not_found(engine: Engine, tree: SourceTree, spec: Spec) -> None:
    with pytest.raises(BundleError) as caught:
        engine.bundle(spec("nothing"), tree)
    assert caught.value.code is ErrorCode.NOT_FOUND and not caught.value.retry


def test_pieces_may_lie_in_folders(engine: Engine, tree: SourceTree, spec: Spec) -> None:
    write(tree.root, {"pieces/at/home/dot.mjs": "export const x = 1"})
    assert engine.bundle(spec("at/home/dot"), tree).filename.startswith("at-home-dot-2026.")


@pytest.mark.parametrize("files", [{}, {"pieces/dot.mjs": ""}])
def test_a_tree_without_its_seeds_is_none(
    engine: Engine, tmp_path: Path, spec: Spec, files: dict[str, str | bytes]
) -> None:
    write(tmp_path / "other", files)
    for root in (tmp_path / "other", tmp_path / "gone"):
        with pytest.raises(BundleError) as caught:
            engine.core(SourceTree(root))
        assert caught.value.code is ErrorCode.NO_SOURCES


def test_the_last_good_core_serves_while_the_tree_is_broken(engine: Engine, tree: SourceTree, spec: Spec) -> None:
    good = engine.core(tree)
    write(tree.root, {"lib/draw.mjs": "export function {"})
    with pytest.raises(BundleError):
        engine.core(tree)
    kept = engine.load_core(good.key)
    assert kept == good
    assert engine.bundle(spec(), tree, core=kept).core_key == good.key


def test_stages_come_in_the_order_that_callers_know(engine: Engine, tree: SourceTree, spec: Spec) -> None:
    told: list[Progress] = []
    engine.bundle(spec(), tree, told.append)
    cold = [progress.stage for progress in told]
    assert list(dict.fromkeys(cold)) == [
        "init",
        "discover",
        "minify",
        "fonts",
        "piece",
        "deps",
        "generate",
        "compress",
    ]
    assert [p.message for p in told if p.stage == "minify"] == ["Minifying 2 modules", "2 of 2 modules"]
    told.clear()
    engine.bundle(spec(), tree, told.append)
    assert [progress.stage for progress in told] == ["init", "cache-hit", "piece", "deps", "generate", "compress"]


def test_many_modules_are_told_by_tens(engine: Engine, make_tree: MakeTree) -> None:
    modules: dict[str, str | bytes] = {f"m{i}.mjs": f"export const x{i} = {i}" for i in range(35)}
    main = "\n".join(f"import './{name}'" for name in modules)
    told: list[Progress] = []
    engine.core(make_tree({**modules, "main.mjs": main}), told.append)
    counts = [progress.done for progress in told if progress.stage == "minify"]
    assert counts[0] == 0 and counts[-1] == 36 and counts == sorted(counts)
    assert max(b - a for a, b in itertools.pairwise(counts)) <= 11


class Stop(Exception):
    pass


@pytest.mark.parametrize("stage", ["init", "discover", "minify", "piece", "generate", "compress"])
def test_a_report_that_raises_gives_the_work_up(engine: Engine, tree: SourceTree, spec: Spec, stage: str) -> None:
    def report(progress: Progress) -> None:
        if progress.stage == stage:
            raise Stop

    with pytest.raises(Stop):
        engine.bundle(spec(), tree, report)
    assert Parts(engine.bundle(spec(), tree).html).title == "dot · oven pieces"


# The same bytes everywhere -------------------------------------------------------------------------------------------


def test_two_trees_alike_give_the_same_bytes(engine: Engine, tree: SourceTree, spec: Spec, tmp_path: Path) -> None:
    other = replace(tree, root=tmp_path / "elsewhere" / "deep")
    shutil.copytree(tree.root, other.root)
    with Engine(EngineOptions(tmp_path / "fresh")) as fresh:
        assert fresh.bundle(spec(), other).html == engine.bundle(spec(), tree).html


ELSEWHERE = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from bundles.engine.engine import Engine, EngineOptions
from bundles.engine.spec import BundleSpec, SourceTree
tree = SourceTree(Path(sys.argv[1]), seeds=("main.mjs",), boot="main.mjs")
with Engine(EngineOptions(Path(sys.argv[2]))) as engine:
    sys.stdout.buffer.write(engine.bundle(BundleSpec(datetime(2026, 2, 13, 21, 5, 9, 7000, tzinfo=UTC), piece="dot"), tree).html)
"""


@pytest.mark.parametrize(
    "environment", [{"TZ": "Asia/Kolkata", "LANG": "C", "PYTHONHASHSEED": "1"}, {"LANG": "de_DE"}]
)
def test_another_process_in_another_place_gives_the_same_bytes(
    engine: Engine, tree: SourceTree, spec: Spec, tmp_path: Path, environment: dict[str, str]
) -> None:
    command = [sys.executable, "-c", ELSEWHERE, str(tree.root), str(tmp_path / "cache2")]
    made = subprocess.run(
        command, cwd=ROOT, env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, check=True
    )
    assert made.stdout == engine.bundle(spec(), tree).html


def test_date_and_version_change_nothing_that_is_packed(engine: Engine, tree: SourceTree, spec: Spec) -> None:
    first = engine.bundle(spec(), tree)
    later = engine.bundle(spec(now=NOW + timedelta(days=3), version="abc1234"), tree)
    assert later.key == first.key
    assert later.html != first.html
    assert Parts(later.html).scripts[:2] == Parts(first.html).scripts[:2]


@pytest.mark.parametrize("change", [{"density": 2}, {"params": ("3",)}, {"background": "red"}, {"compress": False}])
def test_what_shapes_a_page_shapes_its_key(
    engine: Engine, tree: SourceTree, spec: Spec, change: dict[str, Any]
) -> None:
    assert engine.bundle(spec(**change), tree).key != engine.bundle(spec(), tree).key
