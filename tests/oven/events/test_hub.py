from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async

from oven.events import permissions, publisher, snapshot, stream
from oven.events.broadcast import ContractAudience, LiveAudience, Watcher
from oven.events.hub import Hub, Numbers
from tests.oven.events.sockets import cookie_of, messages, socket, states, typed
from tests.support import awaited, until

pytestmark = pytest.mark.django_db(transaction=True)  # channels opens the database anew for every message


@pytest.fixture(autouse=True)
def _nothing_known() -> None:
    """Rights that were looked up are those of another test's users."""
    permissions.forget()


# --- soon, seldom, in order -----------------------------------------------------------------------------------------


@awaited
async def test_after_a_silence_an_event_comes_at_once(people: Any, valkey: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(stream, "MIN_INTERVAL_S", 1.0)  # much longer than an event is on its way on a busy machine
    async with socket("/ws/live", await cookie_of(people.staff)) as reader:
        await reader.receive_json_from(5)
        waits = []
        for silence in (1.1, 1.3):  # a fixed beat of one second would be in time for one of them only
            await asyncio.sleep(silence)
            stream.log("info", "now")
            began = time.monotonic()
            while not (await reader.receive_json_from(5))["events"]:
                pass
            waits.append(time.monotonic() - began)
    assert max(waits) < 0.7, waits


@awaited
async def test_all_get_the_same_messages_at_most_five_a_second(people: Any, valkey: Any) -> None:
    cookie = await cookie_of(people.staff)
    async with contextlib.AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(socket("/ws/live", cookie)) for _ in range(4)]
        for reader in readers:
            await reader.receive_json_from(5)
        began = time.monotonic()
        while time.monotonic() < began + 0.7:
            stream.log("info", "again")
            await asyncio.sleep(0.02)
        stream.log("info", "last")
        found = [await messages(reader, until=said_last) for reader in readers]
        seconds = time.monotonic() - began
    texts = [[json.dumps(message) for message in each if message["events"]] for each in found]
    assert 2 <= len(texts[0]) <= seconds / stream.MIN_INTERVAL_S + 2
    assert all(found == texts[0] for found in texts)


def said_last(found: list[dict[str, Any]]) -> bool:
    return "last" in [event["entry"]["msg"] for event in typed(found) if event["type"] == "log"]


@awaited
async def test_batches_follow_one_another_by_number(people: Any, valkey: Any) -> None:
    async with socket("/ws/live", await cookie_of(people.staff)) as reader:
        seq = (await reader.receive_json_from(5))["seq"]
        for number in range(6):
            stream.log("info", str(number))
            await asyncio.sleep(0.1)
        for batch in await messages(reader, until=lambda found: found and not found[-1]["events"]):
            assert batch["after"] == seq
            seq = batch["seq"]
    assert batch["events"] == []  # said when nothing else is, so that a lost last message is noticed


@awaited
async def test_what_nobody_is_shown_leaves_no_gap(valkey: Any) -> None:
    publisher.publish({"type": "job.progress"}, [])
    publisher.publish({"type": "job.ended"}, [stream.job_group("delivery", 1)])
    stream.log("info", "first")
    await sync_to_async(publisher.flush)()
    assert int(valkey.get(publisher.SEQUENCE_KEY)) == 1


# --- slow readers ---------------------------------------------------------------------------------------------------


class Slow:
    """A reader that takes nothing until it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.got: list[dict[str, Any]] = []
        self.closed: list[int] = []

    async def send(self, text: str) -> None:
        await self.let.wait()
        self.got.append(json.loads(text))

    async def close(self, code: int) -> None:
        self.closed.append(code)

    async def may(self) -> bool:
        return True

    def join(self, audience: Any) -> Watcher:
        watcher = Watcher(self.send, self.close, self.may)
        watcher.join(audience)
        return watcher


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hello costs nothing."""
    monkeypatch.setattr(snapshot, "_page", [])


@awaited
async def test_a_slow_reader_holds_up_nobody_and_starts_anew(no_page: None) -> None:
    audience = LiveAudience(lambda: 0)
    slow, quick = Slow(), Slow()
    quick.let.set()
    for reader in (slow, quick):
        reader.join(audience)
    while not quick.got:  # the hello
        await asyncio.sleep(0.01)
    count = audience.kept + 40
    for number in range(1, count + 1):
        audience.tell(json.dumps({"type": "batch", "seq": number}))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    assert [message.get("seq") for message in quick.got] == list(range(count + 1))
    slow.let.set()
    await asyncio.sleep(0.3)
    types = [message["type"] for message in slow.got]
    assert types[:2] == ["hello", "hello"]  # the one on its way, and the one to start anew from
    assert len(types) < count
    assert slow.got[-1]["seq"] == count


@awaited
async def test_a_reader_that_takes_nothing_at_all_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oven.events.broadcast.STUCK_S", 0.1)
    audience = LiveAudience(lambda: 0)
    stuck = Slow()
    stuck.join(audience)
    async with asyncio.timeout(5):
        while not stuck.closed or audience.watchers:
            await asyncio.sleep(0.02)
    assert stuck.closed == [1013]


@pytest.mark.parametrize("path", ["/ws", "/ws/live"])
@awaited
async def test_a_long_frame_closes_the_socket(people: Any, valkey: Any, path: str) -> None:
    async with socket(path, await cookie_of(people.staff)) as reader:
        await reader.receive_json_from(5)
        await reader.send_to(text_data="x" * 65_537)
        while (message := await asyncio.wait_for(reader.output_queue.get(), 5))["type"] != "websocket.close":
            pass
    assert message["code"] == 1009


# --- what is lost ---------------------------------------------------------------------------------------------------


def test_numbers_that_overtake_one_another_are_not_lost() -> None:
    numbers = Numbers()
    numbers.restart(7)
    numbers.take(9, now=1.0)
    assert not numbers.lost(now=1.1)
    numbers.take(8, now=1.2)
    assert not numbers.lost(now=9.0)
    numbers.expect(10, now=9.0)  # sent, says the pulse, but not come
    assert not numbers.lost(now=9.1)
    assert numbers.lost(now=9.5)
    numbers.restart(10)
    assert not numbers.lost(now=99.0)


@pytest.mark.parametrize("how", ["lost", "started over"])
@awaited
async def test_a_loss_makes_everybody_start_anew(people: Any, valkey: Any, how: str) -> None:
    stream.log("info", "one")
    await sync_to_async(publisher.flush)()
    async with socket("/ws/live", await cookie_of(people.staff)) as reader:
        await reader.receive_json_from(5)
        if how == "lost":
            valkey.incr(publisher.SEQUENCE_KEY)  # numbered, and never sent
        else:
            valkey.delete(publisher.SEQUENCE_KEY)
        found = await messages(reader, until=lambda found: found and found[-1]["type"] == "hello")
    assert "hello" in {message["type"] for message in found}


@awaited
async def test_a_dropped_event_leaves_a_gap(valkey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "MEND_S", 0.1)
    sender = publisher.Publisher()
    sender.send({"type": "one"}, [stream.LIVE_GROUP])
    await sync_to_async(sender.flush)()
    real = sender._redis.incrby
    monkeypatch.setattr(sender._redis, "incrby", mock.AsyncMock(side_effect=OSError("away")))
    sender.send({"type": "two"}, [stream.LIVE_GROUP])
    await sync_to_async(sender.flush)()
    assert int(valkey.get(publisher.SEQUENCE_KEY)) == 1
    monkeypatch.setattr(sender._redis, "incrby", real)
    await sync_to_async(until)(lambda: not sender._mending)  # said by itself
    assert int(valkey.get(publisher.SEQUENCE_KEY)) == 3


@awaited
async def test_readers_of_whole_states_get_one_after_a_loss(valkey: Any) -> None:
    async with socket("/ws") as reader:
        await reader.receive_json_from(5)
        await messages(reader, 0.4)
        Hub.current().contract.hello()
        assert "frozen" in states(await messages(reader, until=states))[-1]


def test_no_audience_keeps_anything_for_nobody() -> None:
    for audience in (LiveAudience(lambda: 0), ContractAudience()):
        audience.forget()
        assert not audience.waiting


# --- one state for all ----------------------------------------------------------------------------------------------


def test_many_threads_share_what_was_made_after_they_asked() -> None:
    made: list[float] = []

    def make() -> int:
        made.append(time.monotonic())
        time.sleep(0.02)
        return len(made)

    def ask() -> tuple[float, int]:
        asked = time.monotonic()
        return asked, snapshot.shared("test", make)

    with ThreadPoolExecutor(30) as pool:
        answers = [future.result(10) for future in [pool.submit(ask) for _ in range(30)]]
    assert len(made) <= 3
    assert all(made[number - 1] >= asked for asked, number in answers)
    assert all(later - earlier >= stream.MIN_INTERVAL_S - 0.01 for earlier, later in itertools.pairwise(made))


def test_what_a_shared_making_raises_comes_to_who_asked_and_is_forgotten() -> None:
    def fail() -> int:
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        snapshot.shared("failing", fail)
    assert snapshot.shared("failing", lambda: 5) == 5
