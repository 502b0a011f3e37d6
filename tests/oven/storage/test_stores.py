from __future__ import annotations

import hashlib
import os
import threading
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import SuspiciousOperation
from django.utils import timezone

from oven.storage import stores, urls
from oven.storage.models import Artifact
from oven.storage.stores import StoreError
from tests.support import awaited, picture, request

pytestmark = pytest.mark.django_db
DATA = os.urandom(stores.CHUNK * 2 + 17)
Stored = tuple[int, str, bytes]


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """A key of the test's own: the S3 server is shared."""
    return f"oven/{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:8]}/orbit.png"


def fetched(url: str) -> Stored:
    """What anybody gets who opens a public address."""
    if url.startswith("/"):
        answer = request("GET", url)
        return answer.status, answer.headers["Content-Type"], answer.body
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.headers["Content-Type"], response.read()
    except urllib.error.HTTPError as error:
        return error.code, "", b""


# --- on both kinds of stores ----------------------------------------------------------------------------------------


def test_what_is_kept_can_be_read_by_anybody(store: Any, tmp_path: Path, key: str) -> None:
    artifact = stores.keep(picture(tmp_path / "a.png", DATA), key, "image/png")
    assert fetched(artifact.url) == (200, "image/png", DATA)
    assert fetched(urls.redirect_url("art", key)) == (200, "image/png", DATA)


def test_the_row_says_what_was_kept(store: Any, tmp_path: Path, key: str) -> None:
    expires = timezone.now() + timedelta(days=30)
    file = picture(tmp_path / "a.png", DATA)
    stores.keep(file, key, "image/png", width=64, height=32, frames=1, expires_at=expires)
    row = Artifact.objects.get()
    assert (row.store, row.key, row.mime, row.bytes) == ("art", key, "image/png", len(DATA))
    assert row.sha256 == hashlib.sha256(DATA).hexdigest()
    assert (row.width, row.height, row.frames, row.expires_at) == (64, 32, 1, expires)


def test_keeping_again_overwrites_the_bytes_and_the_row(store: Any, tmp_path: Path, key: str) -> None:
    stores.keep(picture(tmp_path / "a.png", b"first, and longer"), key, "image/png")
    artifact = stores.keep(picture(tmp_path / "b.png", b"second"), key, "image/png")
    assert fetched(artifact.url)[2] == b"second"
    assert Artifact.objects.get().bytes == 6


def test_side_files_have_no_row(store: Any, key: str) -> None:
    stores.keep_bytes(b"first, and longer", key, "image/png")
    stores.keep_bytes(b"poster", key, "image/png")
    assert fetched(urls.public_url("art", key)) == (200, "image/png", b"poster")
    assert not Artifact.objects.exists()
    stores.drop_key(key)
    assert fetched(urls.public_url("art", key))[0] == 404


def test_a_drop_deletes_the_bytes_and_the_row(store: Any, tmp_path: Path, key: str) -> None:
    artifact = stores.keep(picture(tmp_path / "a.png"), key, "image/png")
    url = artifact.url
    stores.drop(artifact)
    assert fetched(url)[0] == 404
    assert not Artifact.objects.exists()


def test_what_is_gone_can_be_dropped(store: Any, tmp_path: Path, key: str) -> None:
    artifact = stores.keep(picture(tmp_path / "a.png"), key, "image/png")
    stores.drop_key(key)
    stores.drop(artifact)
    assert not Artifact.objects.exists()


@pytest.mark.parametrize(
    ("start", "length"), [(0, None), (10, 20), (stores.CHUNK - 1, 2), (len(DATA) - 3, 100), (5, 0)]
)
@awaited
async def test_a_stream_yields_the_part_that_was_asked_for(
    store: Any, tmp_path: Path, key: str, start: int, length: int | None
) -> None:
    from asgiref.sync import sync_to_async

    await sync_to_async(stores.keep)(picture(tmp_path / "a.png", DATA), key, "image/png")
    parts = [part async for part in stores.stream("art", key, start, length)]
    assert b"".join(parts) == (DATA[start:] if length is None else DATA[start : start + length])
    assert all(len(part) <= stores.CHUNK for part in parts)


@pytest.mark.parametrize("name", ["../outside.png", "/etc/outside.png", "a/../../outside.png"])
def test_no_key_leads_out_of_the_store(store: Any, tmp_path: Path, name: str) -> None:
    with pytest.raises((SuspiciousOperation, StoreError)):
        stores.keep(picture(tmp_path / "a.png"), name, "image/png")
    assert not (tmp_path / "files" / "outside.png").exists()
    assert not (tmp_path / "outside.png").exists()
    assert not Artifact.objects.exists()


def test_names_with_odd_characters_keep_their_bytes(store: Any, tmp_path: Path, key: str) -> None:
    key = key.replace("orbit", "~user@name +#1")
    artifact = stores.keep(picture(tmp_path / "a.png"), key, "image/png")
    assert " " not in artifact.url
    assert fetched(artifact.url)[0] == 200


def test_expired_artifacts_are_found(store: Any, tmp_path: Path, key: str) -> None:
    now = timezone.now()
    for days in (-1, 0, 1):
        file = picture(tmp_path / f"{days}.png")
        stores.keep(file, f"{key}{days}", "image/png", expires_at=now + timedelta(days=days))
    stores.keep(picture(tmp_path / "ever.png"), f"{key}ever", "image/png")
    assert {artifact.key for artifact in stores.expired(now)} == {f"{key}-1", f"{key}0"}


# --- a directory ----------------------------------------------------------------------------------------------------


def test_a_file_is_moved_into_place_and_never_seen_in_parts(files: Path, tmp_path: Path) -> None:
    scratch = picture(tmp_path / "scratch" / "a.png", DATA)
    inode = scratch.stat().st_ino
    stores.keep(scratch, "oven/grabs/a.png", "image/png")
    assert (files / "oven/grabs/a.png").stat().st_ino == inode
    assert not scratch.exists()


def test_an_overwritten_file_is_whole_at_every_moment(files: Path, tmp_path: Path) -> None:
    place = files / "a.png"
    versions = [bytes([number]) * 200_000 for number in range(4)]
    stores.keep(picture(tmp_path / "first.png", versions[0]), "a.png", "image/png")
    torn: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            if place.read_bytes() not in versions:
                torn.append(1)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(40):
        stores.keep(picture(tmp_path / "next.png", versions[number % 4]), "a.png", "image/png")
    done.set()
    reader.join()
    assert torn == []


def test_the_row_is_written_after_the_bytes(files: Path, tmp_path: Path) -> None:
    files.parent.mkdir(parents=True)
    files.write_text("a file where the store's directory should be")
    with pytest.raises(StoreError):
        stores.keep(picture(tmp_path / "a.png"), "a.png", "image/png")
    assert not Artifact.objects.exists()


def test_local_path_is_only_of_files_that_are_there(files: Path) -> None:
    stores.keep_bytes(b"poster", "a.png", "image/png")
    assert stores.local_path("art", "a.png") == files / "a.png"
    assert stores.local_path("art", "b.png") is None
    with pytest.raises(SuspiciousOperation):
        stores.local_path("art", "../../secret")


def test_public_addresses_of_a_directory(files: Path, settings: Any) -> None:
    assert urls.public_url("art", "a b.png") == "/files/art/a%20b.png"
    settings.OVEN_PUBLIC_URL = "https://oven.example/"
    assert urls.public_url("art", "a.png") == "https://oven.example/files/art/a.png"
    assert urls.redirect_url("art", "a.png") == "/files/art/a.png"
    settings.OVEN_ART_BASE_URL = "https://cdn.example/art/"
    assert urls.public_url("art", "a b.png") == "https://cdn.example/art/a%20b.png"
    assert urls.redirect_url("art", "a.png") == "https://cdn.example/art/a.png"
    assert urls.public_url("blobs", "a.zip") == "https://oven.example/files/blobs/a.zip"


# --- a bucket -------------------------------------------------------------------------------------------------------


def test_public_addresses_of_a_bucket(s3: Any, settings: Any) -> None:
    assert urls.public_url("art", "a.png") == f"{s3.endpoint}/oven/a.png"
    assert stores.local_path("art", "a.png") is None
    settings.OVEN_ART_BASE_URL = "https://cdn.example"
    assert urls.public_url("art", "a.png") == "https://cdn.example/a.png"


def test_objects_are_cached_for_a_week(s3: Any, tmp_path: Path, key: str) -> None:
    stores.keep(picture(tmp_path / "a.png"), key, "image/png")
    head = s3.client().head_object(Bucket="oven", Key=key)
    assert (head["ContentType"], head["CacheControl"]) == ("image/png", "public, max-age=604800")


def test_a_bucket_that_refuses_is_a_store_error_without_a_row(
    s3: Any, settings: Any, tmp_path: Path, key: str
) -> None:
    art = settings.STORAGES["art"]
    settings.STORAGES = {**settings.STORAGES, "art": {**art, "OPTIONS": {**art["OPTIONS"], "secret_key": "wrong"}}}
    with pytest.raises(StoreError):
        stores.keep(picture(tmp_path / "a.png"), key, "image/png")
    with pytest.raises(StoreError):
        stores.keep_bytes(b"poster", key, "image/png")
    assert not Artifact.objects.exists()
