from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bundles import services
from bundles.models import Bundle, CoreBuild
from bundles.requests import parse
from oven.jobs import lifecycle
from oven.storage import stores
from tests.support import picture

PAGE = b"<!doctype html><title>orbit</title>" + b"x" * 200_000


@pytest.fixture
def asked(db: None, valkey: Any) -> Any:
    """Asks for bundles: `asked(piece="orbit")`."""
    return lambda **fields: services.ask(parse({"piece": "orbit", **fields}))


@pytest.fixture
def core(db: None, valkey: Any) -> Any:
    """A core that was built: `core()` is in service, `core(error="...")` failed."""

    def build(error: str = "", tree: str = "") -> CoreBuild:
        row = services.build_core(source="test")
        if tree:
            CoreBuild.objects.filter(pk=row.pk).update(tree=tree)
        claimed: Any = lifecycle.claim("core", row.pk, "test:1:1")
        if error:
            return lifecycle.fail(claimed, "check", error, retry=False)  # type: ignore[no-any-return]
        table = [["runtime/main.mjs", 900, 300, ""], ["runtime/odd.mjs", 100, 100, "1:2: odd"]]
        return lifecycle.finish(claimed, {"build": 5}, key="k" * 64, files=2, table=table, build_ms=5)  # type: ignore[no-any-return]

    return build


@pytest.fixture
def bundled(asked: Any, tmp_path: Path) -> Any:
    """A finished bundle of `PAGE`."""

    def finish(**fields: Any) -> Bundle:
        from datetime import timedelta

        from django.utils import timezone

        row: Any = lifecycle.claim("bundle", asked(**fields).bundle.pk, "test:1:1")
        file = picture(tmp_path / row.public_id, PAGE)
        artifact = stores.keep(file, f"bundles/{row.public_id}", "application/octet-stream", store="blobs")
        return lifecycle.finish(  # type: ignore[no-any-return]
            row,
            {"total": 3},
            artifact=artifact,
            filename="orbit-2026.html",
            size_kb=195,
            messages=["Making the page"],
            author_handle="ada",
            source_code="wipe red",
            dep_count=2,
            expires_at=timezone.now() + timedelta(hours=1),
        )

    return finish
