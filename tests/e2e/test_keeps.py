"""Keeps from the request to the gateway: a real capture, a pinning service, a killed worker, a restart."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.e2e.held_site import HeldSite
from tests.e2e.stack import Stack, frames, picture
from tests.pinning_server import PinningServer, hang

KEYS = {"pinataKey": "key-7f3a-e2e", "pinataSecret": "secret-9b1c-e2e"}
JWT = "jwt-5e2d-e2e"
PATHS = ("/keeps/latest", "/keeps/latest/bloom", "/keeps/latest/$bloom", "/keeps/latest/still", "/keeps/all")


@pytest.fixture(scope="module")
def service() -> Iterator[PinningServer]:
    with PinningServer() as server:
        yield server


@pytest.fixture(scope="module")
def keeper(site: HeldSite, service: PinningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    env = {"OVEN_PINNING": "pinata", "OVEN_PINATA_URL": service.origin, "OVEN_PINATA_JWT": JWT}
    env |= {"OVEN_PIN_DELAYS_S": "0.3,0.3,0.3", "OVEN_PIN_LIMIT_S": "20"}
    with Stack(
        tmp_path_factory.mktemp("keeper") / "data", site.origin, workers=1, kinds=("capture",), **env
    ) as stack:
        yield stack


def kept(keeper: Stack, **fields: Any) -> dict[str, Any]:
    answer = keeper.post("/grab-ipfs", fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.exhaustive("test_consumers.py pins a keep; tests/pins has the rest")
def test_a_callers_keep_is_captured_pinned_and_led_to(keeper: Stack, service: PinningServer) -> None:
    assert keeper.get("/keeps/latest").status_code == 404
    found = kept(keeper, piece="$bloom", duration=1000, fps=4, author="jas", source="keep", keepId="7", **KEYS)
    [upload] = service.uploads
    assert upload.filename == "bloom-thumbnail.webp"
    assert upload.headers["pinata_api_key"] == KEYS["pinataKey"]
    assert upload.name.startswith("bloom-thumbnail.webp-")
    assert (found["piece"], found["mimeType"], found["size"]) == ("bloom", "image/webp", len(upload.data))
    row = keeper.grab(found["grabId"])
    assert (row["lane"], row["ipfs_cid"]) == ("keep", found["ipfsCid"])
    for path in ("/keeps/latest", "/keeps/latest/bloom", "/keeps/latest/%24bloom"):
        led = keeper.get(path)
        assert led.headers["location"] == f"https://ipfs.aesthetic.computer/ipfs/{found['ipfsCid']}"
    own = keeper.get(f"/ipfs/{found['ipfsCid']}")
    assert own.content == upload.data
    assert picture(own).size == (192, 192)
    assert [duration for _, duration in frames(own)] == [50] * 4
    assert keeper.get("/status").json()["grabs"]["ipfsThumbs"]["bloom"]["ipfsCid"] == found["ipfsCid"]


@pytest.mark.exhaustive("test_consumers.py pins a keep; tests/pins has the rest")
def test_a_worker_killed_in_mid_pin_costs_an_attempt_and_no_second_pin(keeper: Stack, service: PinningServer) -> None:
    before = len(service.uploads)
    service.answers = [hang(30, pinned=True)]
    asked = keeper.threads.submit(kept, keeper, piece="still", format="png", width=64, height=64)
    keeper.until(lambda: len(service.uploads) > before, 30, 0.05)
    keeper.until(lambda: service.pinned, 5)
    [row] = keeper.rows("select * from captures_pin where piece = 'still'")
    victim = psutil.Process(int(row["worker"].rsplit(":", 2)[1]))
    assert "light_worker" in " ".join(victim.cmdline())
    victim.send_signal(signal.SIGKILL)
    found = asked.result(60)
    [row] = keeper.rows("select * from captures_pin where piece = 'still'")
    assert (row["state"], row["attempt"], row["found"]) == ("complete", 2, 1)
    assert service.times[found["ipfsCid"]] == 1
    assert len(service.uploads) == before + 1
    outcomes = [attempt["error_code"] for attempt in keeper.attempts(row["public_id"])]
    assert outcomes == ["worker_lost", ""]


@pytest.mark.exhaustive("tests/pins has the action")
def test_staff_pin_a_grab_and_see_it_in_the_lists(keeper: Stack, service: PinningServer) -> None:
    [grab] = keeper.rows("select id from captures_grab where piece = 'still'")
    staff = keeper.staff()
    url = f"/admin/captures/grab/{grab['id']}/pin/"
    assert staff.post(url, data={"_form_submitted": "on"}).status_code == 200
    pins = "select * from captures_pin where source = 'staff' and state = 'complete'"
    [row] = keeper.until(lambda: keeper.rows(pins), 15)
    assert row["found"] == 1
    assert row["cid"] in staff.get("/admin/captures/keep/").text


@pytest.mark.exhaustive("test_consumers.py pins a keep; tests/pins has the rest")
def test_after_a_restart_every_answer_is_the_same(keeper: Stack) -> None:
    def answers() -> list[tuple[int, str, str]]:
        found = [keeper.get(path) for path in PATHS]
        return [(answer.status_code, answer.headers.get("location", ""), answer.text) for answer in found]

    before = answers()
    assert [status for status, _, _ in before] == [302, 302, 302, 302, 200]
    keeper.kill_tree()
    keeper.start()
    assert answers() == before


@pytest.mark.exhaustive("test_consumers.py pins a keep; tests/pins has the rest")
def test_no_key_is_left_anywhere(keeper: Stack) -> None:
    texts = [keeper.log.encode()]
    texts += [path.read_bytes() for path in keeper.data.rglob("*") if path.is_file() and path.stat().st_size < 5e7]
    assert len(texts) > 5
    for secret in (*KEYS.values(), JWT):
        assert [text[:40] for text in texts if secret.encode() in text] == []
