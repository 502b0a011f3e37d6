from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oven.storage import stores
from oven.storage.views import byte_range
from tests.support import Answer, request

DATA = bytes(range(256)) * 4
URL = "/files/art/oven/grabs/orbit.webp"
WHOLE = ["bytes=0-", "bytes=-5000", "bytes=0-1,5-6", "bytes=-", "lines=1-2", "nonsense", "bytes=\xb2-"]
WHOLE += ["bytes=0-" + "9" * 5000, "bytes=" + "0" * 5000 + "-", "bytes=-" + "9" * 5000]


@pytest.fixture(autouse=True)
def _kept(files: Path, db: None) -> None:
    stores.keep_bytes(DATA, "oven/grabs/orbit.webp", "image/webp")


def get(url: str = URL, **headers: str) -> Answer:
    return request("GET", url, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_a_file_is_served_whole_and_cannot_harm() -> None:
    answer = get()
    assert (answer.status, answer.body) == (200, DATA)
    assert answer.headers["Content-Type"] == "image/webp"
    assert answer.headers["Content-Length"] == str(len(DATA))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Cache-Control"] == "public, max-age=604800"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("name", "mime"),
    [("a.webp", "image/webp"), ("a.gif", "image/gif"), ("a.png", "image/png"), ("a.mp4", "video/mp4"), ("a", "")],
)
def test_the_type_follows_the_name(name: str, mime: str) -> None:
    stores.keep_bytes(b"x", name, "")
    assert get(f"/files/art/{name}").headers["Content-Type"] == mime or "application/octet-stream"


def test_an_unchanged_file_is_not_sent_again() -> None:
    etag = get().headers["ETag"]
    answer = get(If_None_Match=etag)
    assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", etag)
    stores.keep_bytes(DATA + b"!", "oven/grabs/orbit.webp", "image/webp")
    assert get(If_None_Match=etag).status == 200


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=1000-", 1000, 1024),
        ("bytes=1000-9999", 1000, 1024),
        ("bytes=-24", 1000, 1024),
    ],
)
def test_a_range_is_served_in_part(header: str, start: int, end: int) -> None:
    answer = get(Range=header)
    assert (answer.status, answer.body) == (206, DATA[start:end])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/1024"
    assert answer.headers["Content-Length"] == str(end - start)


@pytest.mark.parametrize("header", ["bytes=1024-", "bytes=5000-6000", "bytes=-0", "bytes=20-10"])
def test_a_range_outside_of_the_file_is_refused(header: str) -> None:
    answer = get(Range=header)
    assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */1024")
    assert "error" in answer.json


@pytest.mark.parametrize("header", WHOLE, ids=lambda header: header[:20])
def test_whatever_is_no_single_part_is_served_whole(header: str) -> None:
    answer = get(Range=header)
    assert (answer.status, answer.body) == (200, DATA)


def test_ranges_of_an_empty_file() -> None:
    assert byte_range("", 0) == (0, 0)
    assert byte_range("bytes=0-", 0) is None


@pytest.mark.parametrize(
    "url",
    [
        "/files/art/none.webp",
        "/files/art/oven/grabs",
        "/files/art/../../../etc/passwd",
        "/files/art/%2e%2e/%2e%2e/secret_key",
        "/files/art//etc/passwd",
        "/files/other/a.webp",
        "/files/staticfiles/a.webp",
        "/files/default/art/oven/grabs/orbit.webp",
        "/files",
    ],
)
def test_everything_else_is_404_in_json(url: str) -> None:
    answer = get(url)
    assert answer.status == 404
    assert answer.json["error"]


def test_a_nul_in_the_name_is_404() -> None:
    assert get("/files/art/a%00b.webp").status == 404


def test_a_head_has_the_headers_of_the_file() -> None:
    answer: Any = request("HEAD", URL)
    assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(DATA)))
