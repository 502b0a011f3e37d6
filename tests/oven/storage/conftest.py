"""The stores twice: in a directory, and on a real S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.oven.storage.seaweed import BUCKET, KEY, SECRET, Seaweed


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    import botocore.session

    server = Seaweed(tmp_path_factory.mktemp("weed"))
    with (
        pytest.MonkeyPatch.context() as patch
    ):  # every test has a client of its own, and the service's model is large
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        server.start()
        server.open_for_reading()
        yield server
        server.stop()


@pytest.fixture
def files(settings: Any, tmp_path: Path) -> Path:
    """The directory of the art store."""
    place = tmp_path / "files" / "art"
    art = {**settings.STORAGES["art"], "OPTIONS": {**settings.STORAGES["art"]["OPTIONS"], "location": str(place)}}
    settings.STORAGES = {**settings.STORAGES, "art": art}
    return place


@pytest.fixture
def s3(settings: Any, seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch) -> Seaweed:
    """The art store in a bucket, set up by the environment as an installation would."""
    from oven_site.settings.storage import _store

    for name, value in {
        "BUCKET": BUCKET,
        "ENDPOINT": seaweed.endpoint,
        "REGION": "us-east-1",
        "KEY": KEY,
        "SECRET": SECRET,
        "ACL": "",  # SeaweedFS knows bucket policies only
        "ADDRESSING": "path",
    }.items():
        monkeypatch.setenv(f"ART_S3_{name}", value)
    settings.STORAGES = {**settings.STORAGES, "art": _store("art")}
    return seaweed


@pytest.fixture(params=["files", "s3"])
def store(request: pytest.FixtureRequest) -> Any:
    """Each test of it runs on both kinds."""
    return request.getfixturevalue(request.param)
