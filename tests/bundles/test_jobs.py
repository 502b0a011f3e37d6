from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from bundles import runner, services, source_tree
from bundles.idle_timeout import IdleClose
from bundles.models import Bundle, CoreBuild
from oven.jobs import lifecycle
from oven.jobs.states import State
from oven.storage import stores
from tests.support import until

pytestmark = pytest.mark.django_db


def test_the_same_wish_twice_is_one_bundle(asked: Any) -> None:
    assert asked().bundle == asked().bundle
    assert asked(density="2").bundle != asked().bundle


def test_a_finished_one_answers_repeats_until_it_expires(asked: Any, bundled: Any) -> None:
    bundled()
    assert asked().cached
    Bundle.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert not asked().cached


def test_one_that_ends_between_two_looks_is_not_made_twice(
    asked: Any, bundled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under way at the first look, ended before the second: it is the cached one by then."""
    looks = [None]  # what the first look at the cache finds

    def cached(self: Any, *args: Any) -> Any:
        return looks.pop() if looks else real(self, *args)

    row = bundled()
    real = type(Bundle.objects.all()).cached
    monkeypatch.setattr(type(Bundle.objects), "cached", cached)
    found = asked()
    assert (found.bundle, found.cached) == (row, True)
    assert Bundle.objects.count() == 1


def test_again_skips_the_cache(bundled: Any) -> None:
    row = bundled()
    asked = services.ask_again(row)
    assert not asked.cached
    assert asked.bundle.spec == row.spec


def test_expired_files_go_and_their_rows_stay(bundled: Any) -> None:
    row = bundled()
    key = row.artifact.key
    assert services.delete_expired()["bundles"] == 0
    Bundle.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert services.delete_expired()["bundles"] == 1
    assert stores.local_path("blobs", key) is None
    assert Bundle.objects.get().artifact is None


# --- cores ----------------------------------------------------------------------------------------------------------


def test_one_build_for_all_who_ask(valkey: Any) -> None:
    assert services.build_core() == services.build_core()
    assert CoreBuild.objects.count() == 1


def test_the_tree_is_packed_at_start_and_when_it_changes(valkey: Any, settings: Any, tmp_path: Path) -> None:
    settings.OVEN_BUNDLE_SOURCE = str(tmp_path)
    services.watch_tree()
    assert not CoreBuild.objects.exists()  # there are no files
    (tmp_path / "main.mjs").write_text("one")
    services.watch_tree()
    services.watch_tree()
    first = CoreBuild.objects.get()
    lifecycle.finish(lifecycle.claim("core", first.pk, "test:1:1"), {})  # type: ignore[type-var]
    services.watch_tree()
    assert CoreBuild.objects.count() == 1
    (tmp_path / "main.mjs").write_text("two!")
    services.watch_tree()
    assert CoreBuild.objects.count() == 2


def test_a_tree_that_fails_is_not_tried_again_until_it_changes(core: Any, valkey: Any) -> None:
    core(error="It does not run.")
    services.watch_tree()
    assert CoreBuild.objects.count() == 1


def test_a_tree_is_known_by_names_sizes_and_times(tmp_path: Path) -> None:
    assert source_tree.fingerprint(tmp_path) == ""
    (tmp_path / "a.mjs").write_text("one")
    first = source_tree.fingerprint(tmp_path)
    assert source_tree.fingerprint(tmp_path) == first
    (tmp_path / "a.mjs").rename(tmp_path / "b.mjs")
    assert source_tree.fingerprint(tmp_path) != first


def test_the_version_is_the_configured_one_or_that_of_the_repository(settings: Any, tmp_path: Path) -> None:
    settings.OVEN_VERSION = "2026.11"
    assert source_tree.version(tmp_path) == "2026.11"
    settings.OVEN_VERSION = "unknown"
    assert source_tree.version(tmp_path) == "unknown"


# --- what is dear to keep -------------------------------------------------------------------------------------------


def test_it_is_closed_once_nobody_has_needed_it_for_a_while() -> None:
    closed: list[int] = []
    idle = IdleClose(lambda: closed.append(1), idle_s=0.05)
    with idle.busy():
        with idle.busy():
            pass
        time.sleep(0.15)
        assert closed == []
    until(lambda: closed == [1])


def test_a_picture_that_comes_later_is_taken_over(bundled: Any, grab: Any, tmp_path: Path) -> None:
    from tests.support import finished

    row = bundled()
    services.fill_posters()
    assert Bundle.objects.get(pk=row.pk).poster == ""
    finished(grab(piece="orbit"), tmp_path, poster="oven/posters/orbit.webp")
    services.fill_posters()
    assert Bundle.objects.get(pk=row.pk).poster == "oven/posters/orbit.webp"


def test_a_bundle_takes_up_the_core_that_another_has_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    build = services.build_core()
    rows = CoreBuild.objects.filter(pk=build.pk)
    rows.update(state=State.RUNNING, attempt=1)
    asked: list[str] = []

    def perform(kind: str, pk: int) -> None:
        """As a worker does: only what waits. The sweep comes in between."""
        asked.append(rows.get().state)
        if asked[-1] == State.QUEUED:
            rows.update(state=State.COMPLETE)
        elif len(asked) == 2:
            rows.update(state=State.QUEUED)

    monkeypatch.setattr("oven.jobs.worker.perform", perform)
    execution: Any = SimpleNamespace(report=lambda *_: None, look=lambda: None)
    assert runner._first_core(execution).pk == build.pk
    assert asked == [State.RUNNING, State.RUNNING, State.QUEUED]
