"""`manage.py pin`."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from pins.models import Keep
from tests.pinning_server import PinningServer, wrong
from tests.support import picture, request

pytestmark = pytest.mark.django_db
CID = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"  # of "hello world"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return picture(tmp_path / "roz card.png", b"hello world")


def pin(*args: Any) -> str:
    out = io.StringIO()
    call_command("pin", *[str(arg) for arg in args], stdout=out)
    return out.getvalue()


def test_a_dry_run_only_computes(file: Path, service: PinningServer) -> None:
    found = json.loads(pin(file, "--dry-run", "--json"))
    assert found["cid"] == found["v1-256k"] == CID
    assert found["v0-256k"].startswith("Qm")
    assert (service.uploads, Keep.objects.exists()) == ([], False)


def test_a_file_is_pinned_and_kept(file: Path, service: PinningServer) -> None:
    found = json.loads(pin(file, "--json"))
    assert (found["cid"], found["uri"], found["known"]) == (CID, f"ipfs://{CID}", False)
    assert found["url"] == f"https://ipfs.aesthetic.computer/ipfs/{CID}"
    assert json.loads(pin(file, "--json"))["known"] is True
    assert (len(service.uploads), service.uploads[0].filename) == (1, "roz card.png")
    keep = Keep.objects.get()
    assert (keep.piece, keep.source, keep.asked, keep.mime) == ("roz-card", "command", False, "image/png")
    assert keep.artifact.expires_at is None
    assert file.read_bytes() == b"hello world"


def test_local_is_served_by_us(file: Path) -> None:
    assert f"/ipfs/{CID}" in pin(file, "--backend", "local")
    assert request("GET", f"/ipfs/{CID}").body == b"hello world"


def test_failures_are_named(file: Path, service: PinningServer, settings: Any) -> None:
    service.answers = [wrong]
    file.write_bytes(b"another")
    with pytest.raises(CommandError, match="cid_mismatch"):
        pin(file)
    with pytest.raises(CommandError, match="no such file"):
        pin(file.parent / "none.png")
    settings.OVEN_KUBO_URL = ""
    with pytest.raises(CommandError, match="OVEN_KUBO_URL is not set"):
        pin(file, "--backend", "kubo")
    assert not Keep.objects.exists()
