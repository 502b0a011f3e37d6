from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from oven_site.asgi import application
from oven_site.jobs import lifecycle
from oven_site.live import events, progress, publisher, snapshot
from oven_site.live.consumers import LiveConsumer
from tests.support import awaited

pytestmark = pytest.mark.django_db(transaction=True)  # channels opens the database anew for every message
STATE_KEYS = {"version", "serverStartTime", "uptime", "incoming", "active", "recent"}
GRAB_KEYS = {"grabs", "grabProgress", "concurrency"}


@pytest.fixture(autouse=True)
def _own_shared_state() -> None:
    """The state that readers share belongs to one event loop: every test has its own."""
    snapshot._turn = None
    snapshot._shared.update(at=0.0, state=None)


@contextlib.asynccontextmanager
async def socket(path: str, cookie: str = "") -> AsyncIterator[WebsocketCommunicator]:
    headers = [(b"cookie", cookie.encode())] if cookie else []
    communicator = WebsocketCommunicator(application, path, headers=headers)
    accepted, _ = await communicator.connect(5)
    assert accepted
    yield communicator
    await communicator.disconnect()


async def cookie_of(user: Any) -> str:
    from django.test import AsyncClient

    client = AsyncClient()
    await client.aforce_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


async def messages(reader: WebsocketCommunicator, seconds: float) -> list[dict[str, Any]]:
    """Everything that comes within a span."""
    ends, found = time.monotonic() + seconds, []
    while (left := ends - time.monotonic()) > 0:
        try:
            received = await asyncio.wait_for(reader.output_queue.get(), left)
        except TimeoutError:
            break
        found.append(json.loads(received["text"]))
    return found


def states(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for message in found if "grabs" in message]


# --- /ws ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/ws", "/ws/"])
@awaited
async def test_the_first_message_is_the_whole_state(grab: Any, path: str) -> None:
    await sync_to_async(grab)()
    async with socket(path) as reader:
        first = await reader.receive_json_from(5)
    assert set(first) == STATE_KEYS | GRAB_KEYS | {"frozen", "recentLogs"}
    assert [record["piece"] for record in first["grabs"]["queue"]] == ["orbit"]


@awaited
async def test_readers_get_log_entries(grab: Any) -> None:
    async with socket("/ws") as reader:
        await reader.receive_json_from(5)
        events.log("success", "done")
        found = await messages(reader, 0.3)
    entries = [message["logEntry"] for message in found if "logEntry" in message]
    assert entries[-1]["msg"] == "done"
    assert set(entries[-1]) == {"time", "type", "icon", "msg"}


@awaited
async def test_vitals_are_for_staff_and_move_no_other_reader(grab: Any, people: Any) -> None:
    cookie = await cookie_of(people.staff)
    async with socket("/ws") as reader, socket("/ws/live", cookie) as staff:
        await reader.receive_json_from(5)
        events.publish_vitals({"alerts": []})
        live, found = await messages(staff, 0.6), await messages(reader, 0.4)
    sent = [event for message in live for event in message.get("events", [])]
    assert [event["vitals"] for event in sent if event["type"] == "vitals"] == [{"alerts": []}]
    assert states(found) == []
    assert not any("vitals" in json.dumps(message) for message in found)


@awaited
async def test_whole_states_come_at_most_five_times_a_second(grab: Any) -> None:
    job = await sync_to_async(grab)()
    running = await sync_to_async(lifecycle.claim)("grab", job.pk, "a:1:1")
    async with socket("/ws") as reader:
        await reader.receive_json_from(5)
        ends, percent = time.monotonic() + 1.0, 0
        while time.monotonic() < ends:
            percent += 1
            progress.send(running, "capturing", min(percent, 99), "")
            await asyncio.sleep(0.01)
        found = states(await messages(reader, 0.5))
    assert 2 <= len(found) <= 8
    assert found[-1]["grabProgress"][job.public_id]["percent"] == min(percent, 99)
    assert "frozen" not in found[-1]


@awaited
async def test_the_last_change_reaches_every_reader(grab: Any) -> None:
    async with contextlib.AsyncExitStack() as stack:
        readers = []
        for _ in range(3):  # connected at different times, they look at different times
            reader = await stack.enter_async_context(socket("/ws"))
            await reader.receive_json_from(5)
            readers.append(reader)
            await asyncio.sleep(0.07)
        for piece in ("orbit", "waves", "prism", "tiles", "glass", "notes", "loop"):
            job = await sync_to_async(grab)(piece=piece)
            await sync_to_async(lifecycle.cancel)(job)
            await asyncio.sleep(0.09)
        for reader in readers:
            last = states(await messages(reader, 0.6))[-1]
            assert last["grabs"]["recent"][0]["piece"] == "loop"


@awaited
async def test_a_change_of_the_frozen_list_brings_the_list(db: None, valkey: Any) -> None:
    from captures.jobs import freeze

    async with socket("/ws") as reader:
        await reader.receive_json_from(5)
        await sync_to_async(freeze)("still", "stands still")
        found = states(await messages(reader, 0.6))
    assert [entry["piece"] for entry in found[-1]["frozen"]] == ["still"]


@awaited
async def test_what_a_client_says_is_ignored(db: None, valkey: Any) -> None:
    async with socket("/ws") as reader:
        await reader.receive_json_from(5)
        await reader.send_to(text_data="not even JSON")
        await reader.send_to(bytes_data=b"\x00\xff")
        await reader.send_json_to({"type": "oven.event", "event": {"type": "log", "entry": {"msg": "forged"}}})
        events.log("info", "still here")
        found = await messages(reader, 0.3)
    lines = [message["logEntry"]["msg"] for message in found if "logEntry" in message]
    assert lines[-1] == "still here"
    assert "forged" not in lines


@awaited
async def test_a_reader_survives_a_flush_that_fails(grab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(private: bool) -> dict[str, Any]:
        monkeypatch.setitem(snapshot._providers, "broken", lambda private: {})
        raise OSError("the database is away")

    async with socket("/ws") as reader:
        await reader.receive_json_from(5)
        await asyncio.sleep(0.3)
        monkeypatch.setitem(snapshot._providers, "broken", fail)
        await sync_to_async(lambda: lifecycle.cancel(grab()))()
        assert states(await messages(reader, 0.8))


@pytest.mark.parametrize("path", ["/", "/ws/other", "/wss", "/live", "/admin/ws"])
@awaited
async def test_an_unknown_path_is_refused(db: None, valkey: Any, path: str) -> None:
    accepted, code = await WebsocketCommunicator(application, path).connect(5)
    assert (accepted, code) == (False, 4404)


# --- /ws/live -------------------------------------------------------------------------------------------------------


@awaited
async def test_the_live_page_says_hello_with_the_sequence(people: Any, valkey: Any) -> None:
    events.log("info", "one")
    events.log("info", "two")
    publisher.flush()
    async with socket("/ws/live", await cookie_of(people.staff)) as reader:
        first = await reader.receive_json_from(5)
    assert first == {"type": "hello", "seq": 2, "version": settings.VERSION}


@pytest.mark.parametrize("who", ["nobody", "outsider", "retired"])
@awaited
async def test_the_live_page_refuses_who_is_not_staff(people: Any, valkey: Any, who: str) -> None:
    cookie = ""
    if who == "outsider":
        cookie = await cookie_of(people.outsider)
    if who == "retired":
        cookie = await cookie_of(people.staff)
        people.staff.is_active = False
        await people.staff.asave()
    headers = [(b"cookie", cookie.encode())]
    accepted, code = await WebsocketCommunicator(application, "/ws/live", headers=headers).connect(5)
    assert (accepted, code) == (False, 4403)


@awaited
async def test_the_newest_progress_replaces_the_one_not_yet_sent(grab: Any, people: Any) -> None:
    job = await sync_to_async(grab)()
    running = await sync_to_async(lifecycle.claim)("grab", job.pk, "a:1:1")
    async with socket("/ws/live", await cookie_of(people.staff)) as reader:
        await reader.receive_json_from(5)
        for percent in range(1, 41):
            progress.send(running, "capturing", percent, "")
        await sync_to_async(publisher.flush)()
        found = await messages(reader, 0.6)
    batches = [message for message in found if message["type"] == "batch"]
    sent = [event for batch in batches for event in batch["events"] if event["type"] == "job.progress"]
    assert 1 <= len(sent) <= 3
    assert sent[-1]["job"]["percent"] == 40
    assert batches[-1]["seq"] == sent[-1]["seq"]


@awaited
async def test_an_ended_job_has_no_progress_after_its_end(grab: Any, people: Any) -> None:
    job = await sync_to_async(grab)()
    running = await sync_to_async(lifecycle.claim)("grab", job.pk, "a:1:1")
    async with socket("/ws/live", await cookie_of(people.staff)) as reader:
        await reader.receive_json_from(5)
        progress.send(running, "capturing", 90, "")
        await sync_to_async(lifecycle.finish)(running, {})
        found = await messages(reader, 0.6)
    types = [event["type"] for batch in found for event in batch["events"]]
    assert types[-1] == "job.ended"


@pytest.mark.parametrize("how", ["demoted", "deleted"])
@awaited
async def test_who_loses_the_right_is_sent_away(people: Any, valkey: Any, how: str) -> None:
    async with socket("/ws/live", await cookie_of(people.staff)) as reader:
        await reader.receive_json_from(5)
        people.staff.is_staff = False
        await (people.staff.asave() if how == "demoted" else people.staff.adelete())
        events.log("info", "secret")
        message = await asyncio.wait_for(reader.output_queue.get(), 5)
        assert message == {"type": "websocket.close", "code": 4403}


def test_nobody_is_not_allowed() -> None:
    assert not LiveConsumer._allowed(AnonymousUser())


# --- events that arrive in the middle of a flush --------------------------------------------------------------------


@awaited
async def test_an_event_that_arrives_during_a_flush_is_not_lost(valkey: Any) -> None:
    sent: list[dict[str, Any]] = []
    consumer = LiveConsumer()

    class Staff:
        is_authenticated = is_active = is_staff = True

        def has_perm(self, name: str) -> bool:
            return True

        def refresh_from_db(self) -> None:
            consumer._others.append({"type": "log", "seq": 2})

    async def send(content: dict[str, Any]) -> None:
        sent.append(content)

    consumer.scope = {"user": Staff()}
    consumer.send_dict = send  # type: ignore[method-assign]
    consumer._others.append({"type": "log", "seq": 1})
    await consumer.flush()
    await consumer.flush()
    assert [batch["seq"] for batch in sent] == [1, 2]


@awaited
async def test_a_state_older_than_the_change_is_not_sent(db: None, valkey: Any) -> None:
    assert await snapshot.shared_state(time.monotonic()) is not None
    assert await snapshot.shared_state(time.monotonic()) is None
    assert await snapshot.shared_state(0.0) is not None
    await asyncio.sleep(events.MIN_INTERVAL_S)
    assert await snapshot.shared_state(time.monotonic()) is not None
