"""Who is notified of alerts, when, and how often."""

from __future__ import annotations

import socket
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from oven.events import progress, publisher
from oven.ops.health.alerts import Alert
from oven.ops.health.models import Notice, RaisedAlert
from oven.ops.health.notify import changes, outbox, senders, ways
from oven.ops.health.notify.changes import Changes
from tests.oven.ops.health.conftest import Clock
from tests.site_server import Site, hang
from tests.smtp_server import Mailbox
from tests.support import until

pytestmark = pytest.mark.django_db
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
QUEUE: Alert = {"code": "queue", "level": "warn", "text": "101 jobs are waiting."}
MEMORY: Alert = {"code": "memory", "level": "bad", "text": "Memory is 99 % full."}


@pytest.fixture(autouse=True)
def _at_once(valkey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "GATHER", timedelta(0))


def loud(clock: Clock) -> Changes:
    """A scheduler that has run for a minute."""
    found = Changes(clock)
    clock.on(60)
    return found


def sent(receiver: Site) -> list[tuple[str, str]]:
    hooks = [hook.json for hook in list(receiver.received) if hook.path == "/hook"]
    return [(hook["code"], hook["state"]) for hook in hooks]


def due_now(**fields: Any) -> None:
    """Time goes by for those that wait for another try."""
    Notice.objects.filter(done_at=None).update(due_at=timezone.now(), **fields)


# --- what is new, and what is over ----------------------------------------------------------------------------------


def test_it_is_logged_once_when_it_comes_and_once_when_it_goes(clock: Clock) -> None:
    def logged() -> list[str]:
        publisher.flush()
        return [entry["msg"] for entry in progress.recent_log()]

    watched = loud(clock)
    watched.note([QUEUE])
    clock.on(3)
    watched.note([{**QUEUE, "text": "102 jobs are waiting."}])
    assert logged() == ["101 jobs are waiting."]
    clock.on(3)
    watched.note([])
    clock.on(3)
    watched.note([QUEUE])  # it was only away for a moment
    assert logged() == ["101 jobs are waiting."]
    clock.on(31)
    watched.note([])
    clock.on(3)
    watched.note([])
    assert logged() == ["Over: 101 jobs are waiting.", "101 jobs are waiting."]


def test_nothing_is_sent_in_the_first_minute(receiver: Site, clock: Clock) -> None:
    watched = Changes(clock)
    for _ in range(19):
        watched.note([QUEUE])
        clock.on(3)
    assert not Notice.objects.exists()
    clock.on(3)
    watched.note([QUEUE])
    assert Notice.objects.get().change == "raised"


def test_what_was_over_within_the_first_minute_is_not_sent(receiver: Site, clock: Clock) -> None:
    watched = Changes(clock)
    watched.note([QUEUE])
    for _ in range(40):
        clock.on(3)
        watched.note([])
    assert not Notice.objects.exists()
    assert not RaisedAlert.objects.exists()


def test_what_went_away_shortly_before_the_minutes_end_is_not_sent(receiver: Site, clock: Clock) -> None:
    watched = Changes(clock)
    clock.on(45)
    watched.note([QUEUE])
    for _ in range(20):
        clock.on(3)
        watched.note([])
    assert not Notice.objects.exists()


def test_a_new_start_and_a_wiped_redis_repeat_nothing(receiver: Site, clock: Clock, valkey: Any) -> None:
    loud(clock).note([QUEUE])
    valkey.flushall()
    again = loud(clock)
    again.note([QUEUE])
    assert [notice.change for notice in Notice.objects.all()] == ["raised"]
    valkey.flushall()
    last = Changes(clock)
    last.note([])
    clock.on(59)
    last.note([])
    assert Notice.objects.count() == 1  # nobody knows yet whether it is over
    clock.on(2)
    last.note([])
    last.note([])
    loud(clock).note([])
    assert [notice.change for notice in Notice.objects.all()] == ["raised", "over"]


def test_two_schedulers_at_once_tell_once(receiver: Site, clock: Clock) -> None:
    both = [loud(clock), loud(clock)]
    for watched in both:
        watched.note([QUEUE])
    clock.on(31)
    for watched in both:
        watched.note([])
    assert [notice.change for notice in Notice.objects.all()] == ["raised", "over"]


def test_an_alert_that_gets_worse_is_raised_anew(receiver: Site, clock: Clock) -> None:
    watched = loud(clock)
    assert watched.note([{**QUEUE, "code": "core"}]) == []
    assert watched.note([{**QUEUE, "code": "core", "level": "bad"}]) == [QUEUE["text"]]
    watched.note([{**QUEUE, "code": "core"}])
    publisher.flush()
    assert [entry["type"] for entry in progress.recent_log()] == ["error", "warn"]
    assert [(notice.level, notice.change) for notice in Notice.objects.all()] == [
        ("warn", "raised"),
        ("bad", "raised"),
    ]


def test_without_a_receiver_nothing_is_kept_for_one(settings: Any, clock: Clock) -> None:
    loud(clock).note([QUEUE])
    assert not Notice.objects.exists()
    settings.OVEN_ALERT_WEBHOOK = "http://127.0.0.1:9/hook"
    loud(clock).note([QUEUE])  # it is configured, and Oven was restarted
    assert Notice.objects.get().change == "raised"


# --- webhooks -------------------------------------------------------------------------------------------------------


def test_a_webhook_is_signed_and_fits_slack_and_discord(receiver: Site, clock: Clock, settings: Any) -> None:
    settings.OVEN_ALERT_WEBHOOK_KEY, settings.OVEN_PUBLIC_URL = KEY, "https://oven.example"
    loud(clock).note([MEMORY])
    assert outbox.send_webhooks() == 1
    (hook,) = receiver.received
    text = "Bad: Memory is 99 % full. (oven.example)"
    assert Webhook(KEY).verify(hook.body, hook.headers) == {
        "code": "memory",
        "level": "bad",
        "state": "raised",
        "text": text,
        "content": text,
        "host": "oven.example",
        "url": "https://oven.example",
        "at": hook.json["at"],
    }
    assert hook.headers["content-type"] == "application/json"


def test_without_a_key_it_is_not_signed(receiver: Site, clock: Clock) -> None:
    loud(clock).note([MEMORY])
    outbox.send_webhooks()
    assert "webhook-signature" not in receiver.received[0].headers


def test_it_is_tried_until_it_is_taken_with_one_id_and_in_order(receiver: Site, clock: Clock) -> None:
    receiver.answers = [500, 503]
    watched = loud(clock)
    watched.note([QUEUE])
    assert outbox.send_webhooks() == 0
    notice = Notice.objects.get()
    assert (notice.tries, notice.problem) == (1, "It answered HTTP 500.")
    assert 4 <= (notice.due_at - timezone.now()).total_seconds() <= 5
    clock.on(31)
    watched.note([])
    assert outbox.send_webhooks() == 0  # the end of an alert does not come before it
    assert sent(receiver) == [("queue", "raised")]
    due_now()
    outbox.send_webhooks()
    due_now()
    assert [outbox.send_webhooks() for _ in range(3)] == [1, 1, 0]
    assert sent(receiver) == [("queue", "raised")] * 3 + [("queue", "over")]
    assert len({hook.headers["webhook-id"] for hook in receiver.received[:3]}) == 1


def test_a_receiver_that_says_when_is_asked_no_sooner(receiver: Site, clock: Clock) -> None:
    receiver.answers = [lambda handler: handler.answer(429, Retry_After="120")]
    loud(clock).note([QUEUE])
    outbox.send_webhooks()
    assert 110 <= (Notice.objects.get().due_at - timezone.now()).total_seconds() <= 120


def test_one_that_is_never_taken_is_given_up_and_holds_up_no_other(receiver: Site, clock: Clock) -> None:
    receiver.answers = [404] * len(outbox.DELAYS_S) + [404]
    watched = loud(clock)
    watched.note([QUEUE])
    for _ in range(len(outbox.DELAYS_S) + 1):
        due_now()
        outbox.send_webhooks()
    lost = Notice.objects.get()
    assert (lost.done_at is None, lost.problem) == (False, "It answered HTTP 404.")
    watched.note([QUEUE, MEMORY])
    assert outbox.send_webhooks() == 1


def test_a_change_of_yesterday_is_not_sent_again_and_again(receiver: Site, clock: Clock) -> None:
    receiver.answers = [500]
    loud(clock).note([QUEUE])
    due_now(at=timezone.now() - timedelta(hours=25))
    outbox.send_webhooks()
    assert Notice.objects.get().done_at is not None


def test_a_sender_that_was_killed_loses_nothing(receiver: Site, clock: Clock) -> None:
    loud(clock).note([QUEUE])
    assert len(outbox._claimed(Notice.objects.all())) == 1  # and then it dies
    assert outbox.send_webhooks() == 0  # another may still be sending it
    due_now()
    assert outbox.send_webhooks() == 1
    assert sent(receiver) == [("queue", "raised")]


def test_two_senders_do_not_take_the_same_one(receiver: Site, clock: Clock) -> None:
    loud(clock).note([QUEUE])
    both = [Notice.objects.get(), Notice.objects.get()]
    assert len(outbox._claimed(both)) == 1


def test_several_that_hang_do_so_at_the_same_time(
    receiver: Site, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways, "SEND_S", 0.5)
    receiver.answers = [hang(1)] * 3
    loud(clock).note([QUEUE, MEMORY, {**QUEUE, "code": "running"}])
    started = time.monotonic()
    assert outbox.send_webhooks() == 0
    assert time.monotonic() - started < 1.2
    assert {notice.problem for notice in Notice.objects.all()} == {"It took longer than 0.5 s."}


def test_old_notices_are_forgotten(receiver: Site, clock: Clock) -> None:
    loud(clock).note([QUEUE, MEMORY])
    outbox.send_webhooks()
    Notice.objects.filter(code="queue").update(done_at=timezone.now() - timedelta(days=31))
    assert outbox.prune() == 1
    assert Notice.objects.get().code == "memory"


# --- mail -----------------------------------------------------------------------------------------------------------


def test_what_changes_together_goes_into_one_mail(mailbox: Mailbox, clock: Clock, settings: Any) -> None:
    settings.OVEN_PUBLIC_URL = "https://oven.example"
    loud(clock).note([QUEUE, MEMORY])
    assert outbox.send_mail() == 2
    (mail,) = mailbox.mails
    assert (mail["To"], mail["Subject"]) == ("ops@example.com", "[Oven oven.example] 2 changes of alerts")
    text = mail.get_content()
    assert "Warning: 101 jobs are waiting." in text
    assert "Bad: Memory is 99 % full." in text
    assert "https://oven.example/live/alerts" in text


def test_a_mail_waits_for_what_changes_at_about_the_same_time(
    mailbox: Mailbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "GATHER", timedelta(seconds=10))
    loud(clock).note([QUEUE])
    assert outbox.send_mail() == 0
    due_now()
    assert outbox.send_mail() == 1
    assert mailbox.mails[0]["Subject"].endswith("Warning: 101 jobs are waiting.")


def test_one_mail_a_code_in_half_an_hour_and_then_all_that_happened(mailbox: Mailbox, clock: Clock) -> None:
    watched = loud(clock)
    for alerts in ([QUEUE], [], [QUEUE], [], [MEMORY]):
        watched.note(alerts)
        outbox.send_mail()
        clock.on(31)
    assert [mail["Subject"].partition("] ")[2] for mail in mailbox.mails] == [
        "Warning: 101 jobs are waiting.",
        "Bad: Memory is 99 % full.",
    ]
    Notice.objects.exclude(done_at=None).update(done_at=timezone.now() - timedelta(minutes=31))
    assert outbox.send_mail() == 3
    assert mailbox.mails[-1].get_content().count("Over: 101 jobs are waiting.") == 2
    assert outbox.send_mail() == 0


def test_a_mail_that_is_refused_is_tried_again(mailbox: Mailbox, clock: Clock) -> None:
    mailbox.refusals = ["451 try later"]
    loud(clock).note([QUEUE])
    assert outbox.send_mail() == 0
    assert "451" in Notice.objects.get().problem
    due_now()
    assert outbox.send_mail() == 1
    assert len(mailbox.mails) == 1


def test_a_mail_server_that_says_nothing_is_left(mailbox: Mailbox, clock: Clock, settings: Any) -> None:
    settings.EMAIL_TIMEOUT, mailbox.delay_s = 0.3, 5.0
    loud(clock).note([QUEUE])
    started = time.monotonic()
    assert outbox.send_mail() == 0
    assert time.monotonic() - started < 3
    assert "timed out" in Notice.objects.get().problem


# --- pings ----------------------------------------------------------------------------------------------------------


def test_only_a_whole_look_is_a_success(receiver: Site, clock: Clock) -> None:
    looks = senders.Looks(clock)
    senders.ping(looks)
    looks.alerts_seen([])  # the database answers, but there are no workers or no queue
    senders.ping(looks)
    assert receiver.fetched == []
    looks.whole()
    senders.ping(looks)
    assert receiver.fetched == ["/ping"]
    clock.on(40)
    senders.ping(looks)  # the looks have stopped
    assert receiver.fetched == ["/ping"]


def test_bad_alerts_are_a_failure(receiver: Site, clock: Clock) -> None:
    looks = senders.Looks(clock)
    looks.alerts_seen([MEMORY["text"]])
    looks.whole()
    senders.ping(looks)
    (failure,) = receiver.received
    assert (failure.path, failure.body) == ("/ping/fail", f"{ways.host()}: Memory is 99 % full.".encode())
    clock.on(40)
    senders.ping(looks)
    assert (len(receiver.received), receiver.fetched) == (1, [])


@pytest.mark.parametrize(
    ("url", "failed"), [("/p/", "/p/fail"), ("/p?rid=1", "/p/fail?rid=1"), ("", "/fail"), ("/p", "/p/fail")]
)
def test_where_a_failure_is_pinged(receiver: Site, url: str, failed: str) -> None:
    ways.ping(f"{receiver.origin}{url}", "fail", "x")
    assert receiver.received[0].path == failed


def test_a_ping_that_is_not_taken_says_why(receiver: Site) -> None:
    with pytest.raises(ways.NotSent, match="HTTP 404"):
        ways.ping(f"{receiver.origin}/elsewhere")


# --- threads --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_hangs_holds_up_no_other_way(
    receiver: Site, mailbox: Mailbox, clock: Clock, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(senders, "LOOK_S", 0.05)
    settings.OVEN_ALERT_QUIET_S, settings.OVEN_PING_EVERY_S = 0.1, 0.05
    looks, stop = senders.Looks(), threading.Event()
    looks.whole()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        settings.OVEN_ALERT_WEBHOOK = f"http://127.0.0.1:{silent.getsockname()[1]}/hook"
        threads = senders.start(stop, looks)
        try:
            started = time.monotonic()
            loud(clock).note([QUEUE])
            assert time.monotonic() - started < 2
            until(lambda: mailbox.mails and len(receiver.fetched) > 3, 5)
            assert time.monotonic() - started < 5
            assert [thread.name for thread in threads] == ["webhooks", "mail", "pings"]
        finally:
            stop.set()
    for thread in threads:
        thread.join(20)


def test_no_thread_without_a_receiver() -> None:
    assert senders.start(threading.Event(), senders.Looks()) == []


@pytest.mark.django_db(transaction=True)
def test_what_goes_wrong_ends_no_thread(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OVEN_ALERT_QUIET_S = 0
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        raise KeyError("a mistake")

    stop = threading.Event()
    thread = threading.Thread(target=senders._repeat, args=(stop, "x", call, 0.01))
    thread.start()
    until(lambda: len(calls) > 2, 5)
    stop.set()
    thread.join(5)
