"""A warm engine and the test pieces, for all engine tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from captures.engine.host import EngineHost
from captures.engine.spec import CaptureResult, CaptureSpec
from tests.piece_server import PieceServer


@pytest.fixture(scope="session")
def site() -> Iterator[PieceServer]:
    with PieceServer() as server:
        yield server


@pytest.fixture(scope="session")
def host() -> Iterator[EngineHost]:
    with EngineHost() as host:
        yield host


@pytest.fixture
def capture(host: EngineHost, site: PieceServer, tmp_path: Path) -> Callable[..., CaptureResult]:
    """`capture("anim", format=Format.PNG)`: a small grab of a test piece."""

    def capture(piece: str, **fields: Any) -> CaptureResult:
        fields = {"width": 128, "height": 128, "duration_ms": 1000, "fps": 10.0, "playback_fps": 10.0, **fields}
        spec = CaptureSpec(url=f"{site.origin}/{piece}?density=1&nolabel=true&nogap=true", **fields)
        return host.capture(spec, tmp_path).result(120)

    return capture
