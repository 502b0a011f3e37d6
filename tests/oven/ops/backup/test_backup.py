"""What a backup holds when files and rows change while it is taken, and what keeps it from being restored."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from oven.jobs import lifecycle
from oven.ops.backup import databases, files, restore
from oven.ops.backup.create import take
from oven.ops.backup.manifest import BackupError, Manifest, sums
from oven.storage import stores
from tests.oven.ops.retention.conftest import place
from tests.supervisor.harness import wait_until

__all__ = ["place"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def keep(place: Path, tmp_path: Path) -> Callable[[str, bytes], Any]:
    """`keep(key, data)`: a stored file with its row."""

    def keep(key: str, data: bytes) -> Any:
        made = tmp_path / "made"
        made.write_bytes(data)
        return stores.keep(made, key, "image/png")

    return keep


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`meanwhile(before=..., after=...)`: what happens just before and after the database is saved."""

    def meanwhile(before: Callable[[], Any] = int, after: Callable[[], Any] = int) -> None:
        @contextlib.contextmanager
        def saved(place: Path) -> Iterator[Any]:
            before()
            with real(place) as rows:
                yield rows
            after()

        real = databases.saved
        monkeypatch.setattr(databases, "saved", saved)

    return meanwhile


def test_a_backup_holds_files_with_and_without_rows(keep: Any, tmp_path: Path) -> None:
    artifact = keep("oven/grabs/a.png", b"one")
    stores.keep_bytes(b"poster", "oven/posters/a.webp", "image/webp")
    made = take(tmp_path / "backup")
    at = tmp_path / "backup"
    assert (made.files, made.bytes, made.problems) == (2, 9, [])
    assert (at / "files/art/oven/posters/a.webp").read_bytes() == b"poster"
    assert list(sums(at)) == [(artifact.sha256, "files/art/oven/grabs/a.png")]
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=at, check=True)
    assert (at / "secret_key").read_text() == (Path(settings.OVEN_DATA) / "secret_key").read_text()
    assert at.stat().st_mode & 0o777 == 0o700
    assert Manifest.read(at) == made


def test_the_command_says_what_was_backed_up(keep: Any, tmp_path: Path) -> None:
    keep("oven/grabs/a.png", b"one")
    said = io.StringIO()
    call_command("backup", str(tmp_path / "backup"), stdout=said)
    assert said.getvalue() == "Backed up: sqlite database, 1 files, 0 MB.\n"
    assert Manifest.read(tmp_path / "backup").files == 1


def test_what_is_made_replaced_and_deleted_meanwhile_is_as_the_saved_rows_say(
    keep: Any, meanwhile: Any, tmp_path: Path
) -> None:
    for name in ("early", "late", "gone"):
        keep(f"og/{name}.png", b"old")

    def before() -> None:
        keep("og/early.png", b"newer")
        keep("og/fresh.png", b"fresh")

    def after() -> None:
        keep("og/late.png", b"newest")
        stores.drop(keep("og/gone.png", b"old"))

    meanwhile(before, after)
    made = take(tmp_path / "backup")
    art = tmp_path / "backup" / "files" / "art" / "og"
    assert {path.name: path.read_bytes() for path in art.iterdir()} == {
        "early.png": b"newer",
        "fresh.png": b"fresh",
        "late.png": b"old",
        "gone.png": b"old",
    }
    assert made.problems == []


def test_a_file_that_is_not_as_its_row_says_is_named(keep: Any, place: Path, tmp_path: Path) -> None:
    keep("oven/grabs/a.png", b"one")
    keep("oven/grabs/b.png", b"two")
    (place / "art/oven/grabs/a.png").write_bytes(b"rot")
    (place / "art/oven/grabs/b.png").unlink()
    with pytest.raises(CommandError, match=r"2 files are not as their rows say:\n.*a\.png.*\n.*b\.png: is not there"):
        call_command("backup", str(tmp_path / "backup"))


def test_a_backup_needs_a_directory_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "something").write_text("x")
    with pytest.raises(BackupError, match="is not empty"):
        take(tmp_path)


def test_a_backup_does_not_hold_itself(place: Path) -> None:
    with pytest.raises(BackupError, match="lies in the art store"):
        take(place / "art" / "backup")


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"x")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copystat", full)
    with pytest.raises(OSError, match="No space"):
        files.copy(tmp_path / "a", tmp_path / "there" / "b")
    assert list((tmp_path / "there").iterdir()) == []


def test_what_ran_waits_again_and_loses_no_attempt(grab: Any, valkey: Any) -> None:
    running, asked = (lifecycle.claim("grab", grab(piece=name).pk, "gone:1:1") for name in ("one", "two"))
    assert running is not None and asked is not None
    lifecycle.cancel(asked)
    restore.hand_back()
    running.refresh_from_db()
    asked.refresh_from_db()
    assert (running.state, running.max_attempts - running.attempt) == ("queued", 3)
    assert asked.state == "cancelled"


# --- what is not restored -------------------------------------------------------------------------------------------


def restored(place: Path, data: Path, **env: str) -> subprocess.CompletedProcess[str]:
    given = {key: value for key, value in os.environ.items() if key not in ("REDIS_URL", "DJANGO_SETTINGS_MODULE")}
    words = [sys.executable, "manage.py", "restore", str(place)]
    environment = {**given, "OVEN_DATA": str(data), **env}
    return subprocess.run(
        words, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False, timeout=100
    )


def test_a_file_that_was_damaged_in_the_backup_is_named_when_it_is_restored(keep: Any, tmp_path: Path) -> None:
    for name in ("good", "damaged", "lost"):
        keep(f"oven/grabs/{name}.png", name.encode())
    place = tmp_path / "backup"
    take(place)
    (place / "files/art/oven/grabs/damaged.png").write_bytes(b"rot")
    (place / "files/art/oven/grabs/lost.png").unlink()
    done = restored(place, tmp_path / "data")
    assert done.returncode == 1
    assert "Restored, but 2 files are not as their rows say:" in done.stderr
    assert "damaged.png" in done.stderr and "lost.png" in done.stderr and "good.png" not in done.stderr
    assert (tmp_path / "data/files/art/oven/grabs/good.png").read_bytes() == b"good"


def test_a_backup_that_is_not_whole_is_not_restored(keep: Any, tmp_path: Path) -> None:
    take(tmp_path / "backup")
    (tmp_path / "backup" / "manifest.json").unlink()
    with pytest.raises(CommandError, match=r"holds no whole backup: it has no manifest\.json"):
        call_command("restore", str(tmp_path / "backup"))


def test_nothing_is_restored_over_something(tmp_path: Path) -> None:
    take(tmp_path / "backup")
    with pytest.raises(CommandError, match="The database is not empty"):
        call_command("restore", str(tmp_path / "backup"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 9}, "has the format 9; this version of Oven knows 1"),
        ({"migrations": ["jobs.9999_later"]}, "is of a newer Oven (0.0): this one does not know jobs.9999_later"),
        ({"unknown": 1}, "is not what this version of Oven writes"),
    ],
)
def test_a_backup_of_another_oven_is_not_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], says: str
) -> None:
    take(tmp_path / "backup")
    manifest = tmp_path / "backup" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "version": "0.0", **change}))
    monkeypatch.setattr(databases, "is_empty", lambda: True)
    with pytest.raises(CommandError) as refused:
        call_command("restore", str(tmp_path / "backup"))
    assert says in str(refused.value)


def test_a_secret_is_for_its_owner_alone_from_the_first_byte(tmp_path: Path) -> None:
    source, target = tmp_path / "readable", tmp_path / "to" / "secret_key"
    os.mkfifo(source, 0o644)
    copying = threading.Thread(target=files.copy, args=(source, target), kwargs={"private": True})
    umask = os.umask(0)
    try:
        copying.start()
        with source.open("wb") as writing:
            assert wait_until(lambda: list(target.parent.glob("*")))
            (part,) = target.parent.iterdir()
            assert stat.S_IMODE(part.stat().st_mode) == 0o600
            writing.write(b"secret")
        copying.join()
    finally:
        os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert target.read_bytes() == b"secret"
