"""What is kept, for how long it is right, and that nothing half-written is ever served."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from bundles.engine import cache
from bundles.engine.cache import Store, digest
from bundles.engine.engine import Engine, EngineOptions
from bundles.engine.errors import BundleError, ErrorCode
from bundles.engine.node import NodeWorker
from bundles.engine.shelf import Shelf
from bundles.engine.spec import Progress, SourceTree
from tests.bundles.engine.conftest import MakeTree, write

FILES: dict[str, str | bytes] = {"main.mjs": "import './a.mjs'; import './b.mjs'", "a.mjs": "let a", "b.mjs": "let b"}


@pytest.fixture
def options(tmp_path: Path) -> EngineOptions:
    return EngineOptions(tmp_path / "cache", keep_cores=2)


def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the modules that are given to Node from now on."""
    paths: list[str] = []
    post = NodeWorker.post

    def note(self: NodeWorker, operation: str, **fields: Any) -> int:
        paths.extend(file["path"] for file in fields.get("files", ()))
        return post(self, operation, **fields)

    monkeypatch.setattr(NodeWorker, "post", note)
    return paths


def test_a_store_gives_back_what_it_was_given(tmp_path: Path) -> None:
    store = Store(tmp_path, 10)
    assert store.get(digest("x")) is None
    store.put(digest("x"), b"body")
    assert store.get(digest("x")) == b"body"


@pytest.mark.parametrize("damage", [lambda b: b[:20], lambda b: b[:-1], lambda b: b"", lambda b: b[:-1] + b"X"])
def test_a_damaged_entry_is_none(tmp_path: Path, damage: Any) -> None:
    store = Store(tmp_path, 10)
    store.put("abcd", b"body")
    path = tmp_path / "ab" / "abcd"
    path.write_bytes(damage(path.read_bytes()))
    assert store.get("abcd") is None
    assert not path.exists()


def test_the_least_recently_used_go(tmp_path: Path) -> None:
    store = Store(tmp_path, 3)
    for number in range(3):
        store.put(f"k{number}", b"")
        os.utime(tmp_path / f"k{number}" / f"k{number}", (number, number))
    store.get("k0")
    store.put("k3", b"")
    assert sorted(store.keys()) == ["k0", "k2", "k3"]


def test_a_writer_that_dies_leaves_no_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache.os, "replace", die)
    store = Store(tmp_path, 10)
    with pytest.raises(KeyboardInterrupt):
        store.put("abcd", b"body")
    assert store.get("abcd") is None
    assert list((tmp_path / "ab").iterdir()) == []


def test_a_full_disk_only_means_doing_it_again(
    make_tree: MakeTree, options: EngineOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache.tempfile, "mkstemp", full)
    with Engine(options) as engine:
        assert len(engine.core(make_tree(FILES)).files) == 3
    assert not list(options.cache.rglob("*/*/*"))


def test_digests_of_other_parts_differ() -> None:
    assert len({digest("ab", "c"), digest("a", "bc"), digest("abc"), digest("abc", "")}) == 4


def test_an_unchanged_tree_is_not_read_again(
    make_tree: MakeTree, options: EngineOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = make_tree(FILES)
    with Engine(options) as engine:
        first = engine.core(tree)
        paths = sent(monkeypatch)
        told: list[Progress] = []
        assert engine.core(tree, told.append) is first
    assert [progress.stage for progress in told] == ["cache-hit"] and paths == []


def test_only_what_changed_is_done_again(
    make_tree: MakeTree, options: EngineOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = make_tree(FILES)
    with Engine(options) as engine:
        first = engine.core(tree)
        paths = sent(monkeypatch)
        write(tree.root, {"b.mjs": "let b = 2; console.log(b)"})
        assert engine.core(tree).key != first.key
        assert paths == ["b.mjs"]


def test_what_was_made_outlives_the_process(
    make_tree: MakeTree, options: EngineOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = make_tree(FILES)
    with Engine(options) as engine:
        first = engine.core(tree)
    paths = sent(monkeypatch)
    with Engine(options) as engine:
        assert engine.core(tree) == first
    assert paths == []


@pytest.mark.parametrize("change", ["same content", "file that was missing", "pattern"])
def test_a_change_is_seen(make_tree: MakeTree, options: EngineOptions, change: str) -> None:
    main = "addEventListener('x', () => import('./later.mjs'))"
    tree = make_tree({"main.mjs": main}, include=("fonts/*.json",))
    told: list[Progress] = []
    with Engine(options) as engine:
        first = engine.core(tree)
        name = {"same content": "main.mjs", "file that was missing": "later.mjs", "pattern": "fonts/a.json"}[change]
        write(tree.root, {name: main if name == "main.mjs" else "1"})
        second = engine.core(tree, told.append)
    assert told[0].stage == "discover"
    assert (second.key == first.key) == (change == "same content")


def test_several_versions_are_kept_by_count(make_tree: MakeTree, options: EngineOptions) -> None:
    with Engine(options) as engine:
        trees = (make_tree({"main.mjs": f"console.log({version})"}) for version in range(4))
        keys = [engine.core(tree).key for tree in trees]
        assert [engine.load_core(key) is not None for key in keys] == [False, False, True, True]


def test_aliases_are_part_of_the_key(make_tree: MakeTree, options: EngineOptions) -> None:
    files = {"main.mjs": "import 'x'", "a.mjs": "console.log('a')", "b.mjs": "console.log('b')"}
    trees = [make_tree(files, aliases={"x": target}) for target in ("a.mjs", "b.mjs")]
    with Engine(options) as engine:
        assert {file.path for file in engine.core(trees[0]).files} == {"main.mjs", "a.mjs"}
        assert {file.path for file in engine.core(trees[1]).files} == {"main.mjs", "b.mjs"}


def test_memory_holds_few_trees(tmp_path: Path, options: EngineOptions) -> None:
    with Engine(options) as engine:
        for number in range(6):
            write(tmp_path / str(number), {"main.mjs": f"console.log({number})"})
            engine.core(SourceTree(tmp_path / str(number), seeds=(), boot="main.mjs"))
        assert len(engine._cores) == 3


# Modules -------------------------------------------------------------------------------------------------------------


def test_a_shelf_gives_back_what_was_flushed(tmp_path: Path) -> None:
    first, second = Shelf(tmp_path / "m.sqlite", 2000), Shelf(tmp_path / "m.sqlite", 2000)
    for number in range(1200):
        first.put(f"k{number}", b"%d" % number)
    assert first.get(["k7", "gone"]) == {"k7": b"7"}
    assert second.get(["k7"]) == {}
    first.flush()
    assert len(second.get([f"k{number}" for number in range(1500)])) == 1200


def test_a_full_shelf_drops_the_oldest(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "m.sqlite", 3)
    for number in range(5):
        shelf.put(f"k{number}", b"")
    shelf.flush()
    assert len(shelf.get([f"k{number}" for number in range(5)])) == 3


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to be taken for one" * 100])
def test_a_damaged_shelf_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.sqlite").write_bytes(content)
    shelf = Shelf(tmp_path / "m.sqlite", 10)
    assert shelf.get(["k"]) == {}
    shelf.put("k", b"body")
    shelf.flush()
    assert shelf.get(["k"]) == {"k": b"body"}


def test_a_shelf_that_cannot_be_opened_is_only_empty(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    shelf = Shelf(tmp_path / "file" / "m.sqlite", 10)
    shelf.put("k", b"body")
    shelf.flush()
    assert shelf.get(["k"]) == {}


def test_a_module_with_a_mistake_is_not_filed(make_tree: MakeTree, options: EngineOptions) -> None:
    """V8 finds this one after the minifier had nothing against it."""
    tree = make_tree({"main.mjs": "export let twice = 1; let twice = 2;"})
    for _ in range(2):
        with Engine(options) as engine, pytest.raises(BundleError) as caught:
            engine.core(tree)
        assert caught.value.code is ErrorCode.SYNTAX


def test_a_link_to_another_release_is_a_change(tmp_path: Path, options: EngineOptions) -> None:
    for release in ("one", "two"):
        write(tmp_path / release, {"main.mjs": f"console.log('{release}')"})
    link = tmp_path / "current"
    link.symlink_to("one")
    tree = SourceTree(link, seeds=(), boot="main.mjs")
    with Engine(options) as engine:
        first = engine.core(tree)
        link.unlink()
        link.symlink_to("two")
        assert engine.core(tree).key != first.key
