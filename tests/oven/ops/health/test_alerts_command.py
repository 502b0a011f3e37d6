"""`manage.py alerts`, and settings of alerts that are refused."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command

from bundles.models import CoreBuild
from oven.ops.health import alerts
from oven.ops.health.models import Notice, RaisedAlert
from oven.ops.health.monitor import Watch
from oven.ttl_cache import Kept
from tests.site_server import Site
from tests.smtp_server import Mailbox

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh(valkey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "slow", Kept(alerts._slow, 0))


def run(*arguments: str) -> tuple[int, str, str]:
    """The exit code, and what the command said."""
    out, err = StringIO(), StringIO()
    try:
        call_command("alerts", *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def packed() -> None:
    CoreBuild.objects.create(public_id="core-1", tree="t", state="complete", version="v1")


# --- the list -------------------------------------------------------------------------------------------------------


def test_a_bad_alert_is_exit_code_1(settings: Any) -> None:
    settings.OVEN_PING_URL = "http://127.0.0.1:9/"
    Watch().round()
    raised = RaisedAlert.objects.get()
    text = "No runtime has been packed: nothing can be bundled."
    assert run() == (1, f"bad   core  {text} Since {raised.raised_at:%Y-%m-%d %H:%M} UTC.\n", "")


def test_a_warning_is_exit_code_0(settings: Any, grab: Any) -> None:
    settings.OVEN_ALERT_QUEUE = 0
    packed()
    grab()
    code, out, _ = run()
    assert (code, out) == (0, "warn  queue  1 jobs are waiting (more than 0).\n")


def test_nothing_is_wrong_but_nobody_would_be_told() -> None:
    packed()
    code, out, err = run()
    assert (code, out) == (0, "There are no alerts.\n")
    assert "The scheduler is silent" in err
    assert "none of OVEN_ALERT_WEBHOOK, OVEN_ALERT_MAIL_TO, OVEN_PING_URL is set" in err


def test_what_was_not_sent_is_listed() -> None:
    packed()
    Notice.objects.create(way="mail", code="disk", level="bad", change="raised", problem="It was refused.")
    assert "Not sent (will be tried again): mail disk raised of" in run()[2]


def test_without_redis_it_answers_all_the_same(no_redis: None) -> None:
    packed()
    code, out, err = run()
    assert (code, out) == (0, "There are no alerts.\n")
    assert "The scheduler is silent" in err


# --- the test -------------------------------------------------------------------------------------------------------


def test_every_way_is_tried(receiver: Site, mailbox: Mailbox, settings: Any) -> None:
    settings.OVEN_PING_BACKUP_URL = f"{receiver.origin}/backup"
    lines = [
        "OVEN_ALERT_WEBHOOK: sent.",
        "OVEN_ALERT_MAIL_TO: sent.",
        "OVEN_PING_URL: sent.",
        "OVEN_PING_BACKUP_URL: sent.",
    ]
    assert run("--test") == (0, "\n".join(lines) + "\n", "")
    assert [hook.path for hook in receiver.received] == ["/hook", "/backup/log"]  # no backup is claimed
    assert receiver.fetched == ["/ping"]
    assert receiver.received[0].json["code"] == "test"
    assert "This is a test" in mailbox.mails[0].get_content()
    assert not Notice.objects.exists()


def test_each_that_fails_is_named_and_the_others_are_sent(receiver: Site, mailbox: Mailbox) -> None:
    receiver.answers = [500]
    mailbox.refusals = ["550 no such user"]
    code, out, _ = run("--test")
    assert code == 1
    assert "OVEN_ALERT_WEBHOOK: It answered HTTP 500." in out
    assert "OVEN_ALERT_MAIL_TO: The mail server did not take it: (550" in out
    assert "OVEN_PING_URL: sent." in out


def test_nothing_to_try_is_a_failure() -> None:
    code, out, err = run("--test")
    assert (code, out) == (1, "")
    assert "Nobody is notified" in err


# --- settings -------------------------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "OVEN_ALERT_WEBHOOK": "https://hooks.example/x",
    "OVEN_ALERT_WEBHOOK_KEY": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "OVEN_ALERT_MAIL_TO": ["ops@example.com"],
    "OVEN_ALERT_MAIL_FROM": "oven@example.com",
    "EMAIL_URL": "smtp://mail.example:25",
    "EMAIL_HOST": "mail.example",
    "OVEN_PING_URL": "https://hc.example/uuid",
    "OVEN_PING_BACKUP_URL": "http://10.0.0.5:8000/uuid",
}


def refused(settings: Any, **given: Any) -> list[str]:
    for name, value in given.items():
        setattr(settings, name, value)
    return [str(found.msg) for found in run_checks() if str(found.id).startswith("health.")]


def test_nothing_set_and_everything_set_are_no_errors(settings: Any) -> None:
    assert refused(settings) == []
    assert refused(settings, **GOOD) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"OVEN_ALERT_WEBHOOK": "hooks.example"}, "OVEN_ALERT_WEBHOOK is not an http or https address"),
        ({"OVEN_ALERT_WEBHOOK": ""}, "OVEN_ALERT_WEBHOOK is missing"),
        ({"OVEN_ALERT_WEBHOOK_KEY": "whsec_!"}, "OVEN_ALERT_WEBHOOK_KEY: a key is whsec_ and base64."),
        ({"OVEN_PING_URL": "ftp://hc.example"}, "OVEN_PING_URL is not an http or https address"),
        ({"OVEN_PING_URL": "https://user:secret@hc.example"}, "OVEN_PING_URL is not an http or https address"),
        ({"OVEN_PING_BACKUP_URL": "http://["}, "OVEN_PING_BACKUP_URL is not an http or https address"),
        ({"OVEN_PING_EVERY_S": 0.5}, "OVEN_PING_EVERY_S is 0.5"),
        ({"EMAIL_URL": ""}, "EMAIL_URL is missing"),
        ({"EMAIL_HOST": ""}, "EMAIL_URL cannot be read"),
        ({"OVEN_ALERT_MAIL_TO": ["ops"]}, "OVEN_ALERT_MAIL_TO: 'ops' is not a mail address"),
        ({"OVEN_ALERT_MAIL_FROM": "me"}, "OVEN_ALERT_MAIL_FROM: 'me' is not a mail address"),
    ],
)
def test_what_is_wrong_is_named(settings: Any, given: dict[str, Any], said: str) -> None:
    (found,) = refused(settings, **{**GOOD, **given})
    assert found.startswith(said)
    assert "secret" not in found
