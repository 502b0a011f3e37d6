from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings

from oven.events import permissions, progress, publisher, snapshot, stream
from oven.jobs import bulk, lifecycle, worker_heartbeat
from oven.jobs.filters import Filter
from oven.jobs.states import BulkVerb
from oven_site.asgi import application
from tests.oven.events.sockets import cookie_of, lines, messages, socket, states, typed
from tests.support import awaited

pytestmark = pytest.mark.django_db(transaction=True)  # channels opens the database anew for every message
STATE_KEYS = {"version", "serverStartTime", "uptime", "incoming", "active", "recent"}
GRAB_KEYS = {"grabs", "grabProgress", "concurrency"}


@pytest.fixture(autouse=True)
def _nothing_known() -> None:
    """Rights that were looked up are those of another test's users."""
    permissions.forget()


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
        stream.log("success", "done")
        found = await messages(reader, until=lambda found: "done" in lines(found))
    entries = [message["logEntry"] for message in found if "logEntry" in message]
    assert entries[-1]["msg"] == "done"
    assert set(entries[-1]) == {"time", "type", "icon", "msg"}


@awaited
async def test_whole_states_come_at_most_five_times_a_second(grab: Any) -> None:
    job = await sync_to_async(grab)()
    running = await sync_to_async(lifecycle.claim)("grab", job.pk, "a:1:1")
    async with socket("/ws") as reader:
        await reader.receive_json_from(5)
        began, percent = time.monotonic(), 0
        while time.monotonic() < began + 0.7:
            percent += 1
            progress.send(running, "capturing", min(percent, 98), "")
            await asyncio.sleep(0.01)
        progress.send(running, "capturing", 99, "")
        found = states(await messages(reader, until=lambda found: percent_of(found, job) == 99))
        seconds = time.monotonic() - began
    assert 2 <= len(found) <= seconds / stream.MIN_INTERVAL_S + 2
    assert percent_of(found, job) == 99
    assert "frozen" not in found[-1]


def percent_of(found: list[dict[str, Any]], job: Any) -> Any:
    """Of a job, in the last whole state."""
    return states(found)[-1]["grabProgress"].get(job.public_id, {}).get("percent") if states(found) else None


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
            found = await messages(reader, until=lambda found: recent(found)[:1] == ["loop"])
            assert recent(found)[0] == "loop"


def recent(found: list[dict[str, Any]]) -> list[str]:
    """The pieces that ended last, by the last whole state."""
    return [record["piece"] for record in states(found)[-1]["grabs"]["recent"]] if states(found) else []


@awaited
async def test_a_change_of_the_frozen_list_brings_the_list(db: None, valkey: Any) -> None:
    from captures.frozen import freeze

    async with socket("/ws") as reader:
        await reader.receive_json_from(5)
        await sync_to_async(freeze)("still", "stands still")
        found = states(
            await messages(reader, until=lambda found: any(state.get("frozen") for state in states(found)))
        )
    assert [entry["piece"] for entry in found[-1]["frozen"]] == ["still"]


@awaited
async def test_what_a_client_says_is_ignored(db: None, valkey: Any) -> None:
    async with socket("/ws") as reader:
        await reader.receive_json_from(5)
        await reader.send_to(text_data="not even JSON")
        await reader.send_to(bytes_data=b"\x00\xff")
        await reader.send_json_to({"type": "oven.event", "event": {"type": "log", "entry": {"msg": "forged"}}})
        stream.log("info", "still here")
        found = await messages(reader, until=lambda found: "still here" in lines(found))
    assert lines(found)[-1] == "still here"
    assert "forged" not in lines(found)


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
        assert states(await messages(reader, until=states))


@pytest.mark.parametrize("path", ["/", "/ws/other", "/wss", "/live", "/admin/ws"])
@awaited
async def test_an_unknown_path_is_refused(db: None, valkey: Any, path: str) -> None:
    accepted, code = await WebsocketCommunicator(application, path).connect(5)
    assert (accepted, code) == (False, 4404)


# --- /ws/live -------------------------------------------------------------------------------------------------------


@awaited
async def test_the_live_page_says_hello_with_the_sequence(people: Any, valkey: Any) -> None:
    stream.log("info", "one")
    stream.log("info", "two")
    publisher.flush()
    async with socket("/ws/live", await cookie_of(people.staff)) as reader:
        first = await reader.receive_json_from(5)
    assert (first["type"], first["seq"], first["version"]) == ("hello", 2, settings.VERSION)
    assert [entry["msg"] for entry in first["state"]["log"]] == ["two", "one"]


@awaited
async def test_the_public_is_told_nothing_of_people_and_machines(
    people: Any, valkey: Any, grab: Any, settings: Any
) -> None:
    settings.OVEN_PUBLIC_LIVE = True

    def act() -> None:
        grab()
        targets = bulk.find(BulkVerb.CANCEL, Filter(), [], lambda kind: True)
        bulk.start(BulkVerb.CANCEL, targets, user=people.operator)

    await sync_to_async(act)()
    with worker_heartbeat.shown("here:1:1", ["capture.now"]):
        async with socket("/ws/live", await cookie_of(people.staff)) as reader:
            own = (await reader.receive_json_from(5))["state"]
        async with socket("/ws/live") as reader:
            public = (await reader.receive_json_from(5))["state"]
    assert own["vitals"]["workers"]
    assert own["bulks"][0]["by"] == "operator"
    assert (public["bulks"], public["vitals"]["workers"]) == ([], [])
    assert public["waiting"] == own["waiting"]


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
        found = await messages(
            reader, until=lambda found: any(event.get("job", {}).get("percent") == 40 for event in typed(found))
        )
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
        found = await messages(reader, until=lambda found: "job.ended" in [event["type"] for event in typed(found)])
        found += await messages(reader, 2 * stream.MIN_INTERVAL_S)
    assert [event["type"] for event in typed(found)][-1] == "job.ended"


@pytest.mark.parametrize("how", ["demoted", "deleted"])
@awaited
async def test_who_loses_the_right_is_sent_away(people: Any, valkey: Any, how: str) -> None:
    async with socket("/ws/live", await cookie_of(people.staff)) as reader:
        await reader.receive_json_from(5)
        people.staff.is_superuser = False
        await (people.staff.asave() if how == "demoted" else people.staff.adelete())
        permissions.forget()  # ten seconds later
        stream.log("info", "secret")
        while (message := await asyncio.wait_for(reader.output_queue.get(), 5))["type"] == "websocket.send":
            assert json.loads(message["text"])["events"] == []  # said before, when nothing had happened
        assert message == {"type": "websocket.close", "code": 4403}


@awaited
async def test_a_user_is_looked_up_once_for_all_sockets(people: Any, valkey: Any) -> None:
    cookie = await cookie_of(people.staff)
    async with contextlib.AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(socket("/ws/live", cookie)) for _ in range(5)]
        for reader in readers:
            await reader.receive_json_from(5)
        with mock.patch.object(permissions, "_has_permission", wraps=permissions._has_permission) as looked:
            permissions.forget()
            stream.log("info", "to all")
            for reader in readers:
                assert typed(await messages(reader, until=typed))
        assert looked.call_count == 1


# --- the public -----------------------------------------------------------------------------------------------------


@awaited
async def test_the_public_watches_where_it_may_and_sees_what_everybody_may(
    people: Any, valkey: Any, settings: Any
) -> None:
    settings.OVEN_PUBLIC_LIVE = True
    for cookie in ("", await cookie_of(people.outsider)):
        async with socket("/ws/live", cookie) as reader:
            hello = await reader.receive_json_from(5)
            publisher.publish({"type": "vitals", "vitals": {"host": "secret"}}, [stream.LIVE_GROUP])
            stream.log("info", "open")
            await sync_to_async(publisher.flush)()
            found = typed(await messages(reader, until=lambda found: len(typed(found)) >= 2))
        assert [event["type"] for event in found] == ["other", "log"]
        assert set(found[0]) == {"type", "seq", "at"}
        assert [event["seq"] for event in found] == [hello["seq"] + 1, hello["seq"] + 2]


@awaited
async def test_ids_of_jobs_are_no_part_of_the_contracts_log(valkey: Any) -> None:
    stream.log("info", "before", job="g-1")
    await sync_to_async(publisher.flush)()
    async with socket("/ws") as reader:
        first = await reader.receive_json_from(5)
        stream.log("info", "after", job="g-1")
        found = await messages(reader, until=lambda found: "after" in lines(found))
    entries = [*first["recentLogs"], *(message["logEntry"] for message in found if "logEntry" in message)]
    assert {"before", "after"} <= {entry["msg"] for entry in entries}
    assert all(set(entry) == {"time", "type", "icon", "msg"} for entry in entries)


# --- one client -----------------------------------------------------------------------------------------------------


@awaited
async def test_one_client_has_only_so_many_sockets_and_leaves_no_lines(valkey: Any, settings: Any) -> None:
    settings.OVEN_CLIENT_SOCKETS = 2
    before = len(progress.recent_log(100))
    async with socket("/ws"), socket("/ws"):
        third = WebsocketCommunicator(application, "/ws")
        assert await third.connect(5) == (False, 4429)
    async with socket("/ws"):  # there is room again
        pass
    assert len(progress.recent_log(100)) == before
