"""The drill: a backup taken under load, restored elsewhere. Every ended file is there and equal, and what waited is made."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.e2e.held_site import HeldSite
from tests.e2e.stack import Stack, picture

ENDED = "select store, key, sha256 from artifacts_artifact"
STATES = "select public_id, piece, state, attempt from captures_grab where piece like 'anim~%'"
FAST = {"OVEN_STALE_S": "600"}  # what is taken up again is so because it was handed back


@pytest.mark.exhaustive("tests/oven/ops/backup backs up and restores, on PostgreSQL too")
def test_a_backup_under_load_is_restored_elsewhere_and_goes_on(site: HeldSite, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    with (
        Stack(tmp_path / "first", site.origin, workers=1, kinds=("capture", "bundle"), **FAST) as first,
        site.holding("anim~held"),
    ):
        done = [first.get(f"/grab/png/64/64/anim~done{n}").headers["x-grab-id"] for n in range(2)]
        [first.later(f"/grab/png/64/64/anim~held{n}") for n in range(3)]
        first.until(lambda: first.status()["concurrency"]["active"] == first.workers)
        loads = [first.later(f"/bundle-html?piece={name}") for name in ("orbit",)]
        print(first.manage("backup", str(backup)).strip())
        assert {answer.result(60).status_code for answer in loads} == {200}
        poster = first.grab(done[0])["poster"]
    shutil.rmtree(tmp_path / "first")  # the disk is gone

    second = Stack(tmp_path / "second", site.origin, workers=1, kinds=("capture",), **FAST)
    print(second.manage("restore", str(backup)).strip())
    ended = second.rows(ENDED)
    assert len(ended) > len(done)  # bundles too
    for row in ended:
        assert hashlib.sha256(second.file(row["key"], row["store"]).read_bytes()).hexdigest() == row["sha256"]
    assert second.file(poster).exists()
    assert sorted(row["state"] for row in second.rows(STATES)) == ["complete"] * 2 + ["queued"] * 3
    with second:
        second.until(lambda: {row["state"] for row in second.rows(STATES)} == {"complete"}, 30)
        again = second.get("/grab/png/64/64/anim~done0")
        assert again.status_code == 302  # it is there, and need not be made
        assert picture(second.get(again.headers["location"])).size == (64, 64)
    attempts = {row["public_id"]: row["attempt"] for row in second.rows(STATES)}
    assert all(attempts[public_id] == 1 for public_id in done)
    assert max(attempts.values()) <= 3
