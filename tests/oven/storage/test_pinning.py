"""Every back-end against a server that behaves, and misbehaves, as services do."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oven.egress.client import background
from pins.ipfs import backends
from pins.ipfs.backends import Content, Credentials, PinError, Pinned, pin_patiently
from pins.ipfs.cid import of_file
from tests.pinning_server import PinningServer, cut, hang, in_base58, tell_tale, wait, wrong

DATA = b"a picture" * 100
SECRETS = Credentials(key="key-7f3a", secret="secret-9b1c")


@pytest.fixture
def service(settings: Any) -> Iterator[PinningServer]:
    with PinningServer() as server:
        settings.OVEN_PINATA_URL = settings.OVEN_KUBO_URL = server.origin
        settings.OVEN_PINATA_JWT = "jwt-5e2d"
        settings.OVEN_PIN_DELAYS_S = [0.05]
        settings.OVEN_PIN_LIMIT_S = 5.0
        yield server


@pytest.fixture
def content(tmp_path: Path) -> Content:
    return content_of(tmp_path / "roz-thumbnail.webp", DATA)


def content_of(path: Path, data: bytes) -> Content:
    path.write_bytes(data)
    return Content(path, path.name, hashlib.sha256(data).hexdigest(), of_file(path))


@pytest.fixture(params=["pinata", "kubo"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def pin(
    name: str, content: Content, look_first: bool = False, patience_s: float = 10.0, keys: Credentials | None = None
) -> Pinned:
    return background(pin_patiently(backends.get(name, keys), content, look_first, patience_s)).result(20)


def failed(name: str, content: Content, **fields: Any) -> PinError:
    with pytest.raises(PinError) as caught:
        pin(name, content, **fields)
    return caught.value


# --- the right outcome ----------------------------------------------------------------------------------------------


def test_a_file_is_pinned_whole_and_its_cid_is_ours(service: PinningServer, name: str, content: Content) -> None:
    assert pin(name, content) == Pinned(content.wanted, found=False)
    [upload] = service.uploads
    assert (upload.filename, upload.data) == ("roz-thumbnail.webp", DATA)
    assert service.times == {content.wanted: 1}
    assert service.asked == []


@pytest.mark.parametrize("version", [0, 1])
def test_the_version_of_the_cid_is_ours_to_choose(
    service: PinningServer, name: str, content: Content, version: int, settings: Any
) -> None:
    settings.OVEN_CID_VERSION = version
    cid = pin(name, content).cid
    assert cid.startswith("Qm" if version == 0 else "bafkrei")
    assert cid == content.wanted


@pytest.mark.parametrize("profile", ["v0-256k", "v1-1m", "v1-1m-174"])
def test_a_service_may_use_any_known_profile(service: PinningServer, name: str, tmp_path: Path, profile: str) -> None:
    service.profile = profile
    content = content_of(tmp_path / "large", bytes(range(256)) * 5000)
    assert content.cids[profile].texts.count(pin(name, content).cid) == 1


def test_a_large_file_is_sent_from_the_disk(service: PinningServer, name: str, tmp_path: Path) -> None:
    data = hashlib.shake_128(b"large").digest(3_000_000)
    content = content_of(tmp_path / "large.mp4", data)
    pin(name, content)
    assert service.uploads[0].data == data
    assert int(service.uploads[0].headers["content-length"]) > len(data)
    assert "transfer-encoding" not in service.uploads[0].headers


def test_an_old_nodes_spelling_of_version_1_is_understood(
    service: PinningServer, name: str, content: Content
) -> None:
    service.answers = [in_base58]
    assert pin(name, content).cid == content.wanted


def test_pinata_gets_the_headers_and_names_of_the_contract(service: PinningServer, content: Content) -> None:
    pin("pinata", content, keys=SECRETS)
    [upload] = service.uploads
    assert upload.path == "/pinning/pinFileToIPFS"
    assert upload.headers["pinata_api_key"] == "key-7f3a"
    assert upload.headers["pinata_secret_api_key"] == "secret-9b1c"
    assert "authorization" not in upload.headers
    assert json.loads(upload.fields["pinataMetadata"]) == {"name": f"roz-thumbnail.webp-{content.sha256[:16]}"}


def test_a_token_goes_before_a_key(service: PinningServer, content: Content) -> None:
    pin("pinata", content)
    assert service.uploads[0].headers["authorization"] == "Bearer jwt-5e2d"


def test_kubo_is_told_the_whole_profile(service: PinningServer, content: Content, settings: Any) -> None:
    settings.OVEN_KUBO_TOKEN = "kubo-token"
    pin("kubo", content)
    [upload] = service.uploads
    assert "cid-version=1&raw-leaves=true&chunker=size-262144&pin=true" in upload.path
    assert upload.headers["authorization"] == "Bearer kubo-token"


def test_local_needs_nobody(content: Content) -> None:
    assert pin("local", content) == Pinned(content.wanted, found=False)


# --- tries ----------------------------------------------------------------------------------------------------------


def test_a_service_that_fails_twice_gets_the_file_once(service: PinningServer, name: str, content: Content) -> None:
    service.answers = [500, 503]
    assert pin(name, content).cid == content.wanted
    assert len(service.uploads) == 3
    assert len(service.asked) == {"pinata": 4, "kubo": 2}[name]
    assert service.times == {content.wanted: 1}


def test_a_service_that_says_when_is_asked_no_sooner(service: PinningServer, name: str, content: Content) -> None:
    service.answers = [wait("1")]
    pin(name, content)
    first, second = service.uploads
    assert second.at - first.at >= 1


def test_a_wait_that_is_too_long_is_left_to_whoever_asked(
    service: PinningServer, name: str, content: Content
) -> None:
    service.answers = [wait("60")]
    error = failed(name, content, patience_s=5.0)
    assert (error.code, error.retry, error.retry_after_s) == ("rate_limited", True, 60.0)


@pytest.mark.parametrize("pinned", [True, False])
def test_silence_may_mean_anything_so_it_looks_before_it_pins_again(
    service: PinningServer, name: str, content: Content, settings: Any, pinned: bool
) -> None:
    settings.OVEN_PIN_LIMIT_S = 0.5
    service.answers = [hang(1.5, pinned)]
    assert pin(name, content) == Pinned(content.wanted, found=pinned)
    assert len(service.uploads) == (1 if pinned else 2)
    assert service.times == {content.wanted: 1}


def test_half_an_answer_may_mean_anything_too(service: PinningServer, name: str, content: Content) -> None:
    service.answers = [cut]
    assert pin(name, content) == Pinned(content.wanted, found=True)
    assert service.times == {content.wanted: 1}


def test_a_service_that_is_not_there_is_tried_again(name: str, content: Content, settings: Any) -> None:
    settings.OVEN_PINATA_URL = settings.OVEN_KUBO_URL = "http://127.0.0.1:9"
    settings.OVEN_PINATA_JWT = "t"
    error = failed(name, content, patience_s=0.0)
    assert (error.code, error.retry) == ("unreachable", True)


def test_it_looks_first_when_it_is_told_to(service: PinningServer, name: str, content: Content) -> None:
    pin(name, content)
    assert pin(name, content, look_first=True) == Pinned(content.wanted, found=True)
    assert len(service.uploads) == 1


@pytest.mark.parametrize(("profile", "name_known"), [("v1-256k", "another.png"), ("v0-256k", "")])
def test_pinata_is_asked_for_the_cid_and_for_our_name(
    service: PinningServer, tmp_path: Path, profile: str, name_known: str
) -> None:
    content = content_of(tmp_path / "large", bytes(range(256)) * 5000)
    text = content.cids[profile].text(0 if profile == "v0-256k" else 1)
    service.pinned = {text: name_known or content.label}
    assert pin("pinata", content, look_first=True) == Pinned(text, found=True)


@pytest.mark.parametrize("status", [403, 404])
def test_a_service_without_a_look_up_is_pinned_to_all_the_same(
    service: PinningServer, name: str, content: Content, status: int
) -> None:
    service.lookups = [status]
    assert pin(name, content, look_first=True).found is False


def test_a_look_up_that_fails_pins_nothing_yet(service: PinningServer, name: str, content: Content) -> None:
    service.lookups = [502]
    error = failed(name, content, look_first=True, patience_s=0.0)
    assert (error.code, error.retry, service.uploads) == ("http_status", True, [])


def test_another_file_under_the_same_name_is_not_taken_for_it(service: PinningServer, content: Content) -> None:
    service.pinned = {
        "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e": content.label,
        "junk": content.label,
    }
    assert pin("pinata", content, look_first=True).found is False


# --- named errors ---------------------------------------------------------------------------------------------------


def test_another_cid_than_ours_is_a_mismatch_and_not_tried_again(
    service: PinningServer, name: str, content: Content
) -> None:
    service.answers = [wrong]
    error = failed(name, content)
    assert (error.code, error.retry, len(service.uploads)) == ("cid_mismatch", False, 1)
    assert content.wanted in error.message


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"IpfsHash": "none", "Hash": "none"}', b"{}"])
def test_an_answer_without_a_cid_is_a_bad_one(
    service: PinningServer, name: str, content: Content, body: bytes
) -> None:
    service.answers = [lambda handler, upload: handler.answer(200, body)]
    error = failed(name, content, patience_s=0.0)
    assert (error.code, error.retry) == ("bad_answer", True)


@pytest.mark.parametrize(
    ("status", "code", "retry"),
    [
        (400, "http_status", False),
        (401, "credentials", False),
        (402, "http_status", False),
        (403, "credentials", False),
        (404, "http_status", False),
        (413, "http_status", False),
        (500, "http_status", True),
        (302, "http_status", False),
    ],
)
def test_a_status_says_whether_another_try_may_help(
    service: PinningServer, name: str, content: Content, status: int, code: str, retry: bool
) -> None:
    service.answers = [status]
    error = failed(name, content, patience_s=0.0)
    assert (error.code, error.retry) == (code, retry)


def test_what_a_service_repeats_of_the_keys_is_not_told(service: PinningServer, content: Content) -> None:
    service.answers = [tell_tale]
    error = failed("pinata", content, keys=SECRETS)
    assert error.code == "credentials"
    assert "INVALID_KEYS" in error.message
    for secret in ("key-7f3a", "secret-9b1c"):
        assert secret not in f"{error.message}{error!r}{SECRETS!r}{SECRETS}"


def test_without_credentials_nothing_is_tried(settings: Any) -> None:
    assert not backends.usable("pinata")
    assert not backends.usable("kubo")
    assert backends.usable("local")
    settings.OVEN_PINATA_KEY = "half"
    assert not backends.usable("pinata")


@pytest.mark.parametrize(("name", "setting"), [("pinata", "OVEN_PINATA_JWT"), ("kubo", "OVEN_KUBO_URL")])
def test_a_pin_without_credentials_names_the_setting(name: str, setting: str, content: Content) -> None:
    error = failed(name, content)
    assert (error.code, error.retry) == ("no_credentials", False)
    assert setting in error.message


def test_an_unknown_back_end_is_named() -> None:
    with pytest.raises(PinError) as caught:
        backends.get("filecoin")
    assert (caught.value.code, caught.value.retry) == ("unknown_backend", False)


def test_delays_grow_and_heed_the_service(settings: Any) -> None:
    settings.OVEN_PIN_DELAYS_S = [2.0, 10.0]
    seconds = [backends.retry_delay(tries).total_seconds() for tries in (1, 2, 3)]
    assert all(low <= found <= low * 1.2 for low, found in zip((2, 10, 10), seconds, strict=True))
    assert 30 <= backends.retry_delay(1, 30.0).total_seconds() <= 36
    assert backends.retry_delay(1, 1e9).total_seconds() <= 4320


def test_a_hanging_service_costs_no_more_than_the_limit(
    service: PinningServer, name: str, content: Content, settings: Any
) -> None:
    settings.OVEN_PIN_LIMIT_S = 0.3
    service.answers = [hang(2)]
    started = time.monotonic()
    assert failed(name, content, patience_s=0.0).code == "too_slow"
    assert time.monotonic() - started < 1.5
