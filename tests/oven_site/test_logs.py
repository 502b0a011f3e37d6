from __future__ import annotations

import io
import json
import logging
import logging.config
import re
from collections.abc import Iterator
from typing import Any

import django_rq
import pytest
from rq.timeouts import TimerDeathPenalty

from oven import logs
from oven.jobs import lifecycle, queue, worker
from oven.jobs.context import JobContext
from oven.jobs.models import Attempt
from tests.support import kind_that_runs, request

log = logging.getLogger("captures.test")


class Lines:
    """What has been logged, as JSON."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def __call__(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def of(self, event: str) -> dict[str, Any]:
        return next(line for line in self() if line["event"] == event)


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The service's own formatter, on a stream of ours."""
    found = Lines()
    config = logs.logging_config("json", "INFO")["formatters"]["structured"]
    formatter = logging.config.DictConfigurator({"version": 1}).configure_formatter(dict(config))
    handler = logging.StreamHandler(found.stream)
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
    yield found
    logging.getLogger().removeHandler(handler)


@pytest.mark.django_db
def test_a_host_that_is_none_is_one_line_and_an_answer_like_all_others(lines: Lines) -> None:
    for path in ("/health", "/live/state"):
        answer = request("GET", path, headers={"Host": "a:b:c"})
        assert (answer.status, set(answer.json)) == (400, {"error"})
    found = [line for line in lines() if line["logger"] == "django.security.DisallowedHost"]
    assert len(found) == 2
    assert not any("exception" in line for line in found)


@pytest.mark.django_db
def test_a_form_that_cannot_be_read_is_one_line(lines: Lines, people: Any, valkey: Any) -> None:
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(people.staff)
    client.cookies["csrftoken"] = "a" * 32
    kind = "multipart/form-data"  # of which no boundary is known
    assert client.post("/live/freeze", b"a=1", content_type=kind).status_code == 400
    assert client.post("/grab", b"a=1", content_type=kind).status_code == 403
    (found,) = [line for line in lines() if "Unable to parse" in line["event"]]
    assert "exception" not in found


# --- requests -------------------------------------------------------------------------------------------------------


@pytest.fixture
def talking(monkeypatch: pytest.MonkeyPatch) -> None:
    """/status logs a line, in the thread where it asks the database."""

    def state(private: bool) -> dict[str, Any]:
        log.warning("asked")
        return {}

    monkeypatch.setattr("oven.events.snapshot.state", state)


@pytest.mark.django_db
def test_every_line_of_a_request_carries_its_id_and_the_answer_too(lines: Lines, talking: None, valkey: Any) -> None:
    first, second = (request("GET", "/status").headers["X-Request-ID"] for _ in range(2))
    assert [line["request_id"] for line in lines()] == [first, second]
    assert first != second
    assert "user_id" not in lines()[0]


@pytest.mark.django_db
def test_djangos_own_line_on_an_answer_carries_it_too(lines: Lines, valkey: Any) -> None:
    answer = request("GET", "/status/unknown")
    line = lines.of("Not Found: /status/unknown")
    assert (line["request_id"], line["method"], line["path"]) == (
        answer.headers["X-Request-ID"],
        "GET",
        "/status/unknown",
    )


@pytest.mark.django_db
def test_the_user_is_on_the_line(lines: Lines, talking: None, people: Any, valkey: Any) -> None:
    request("GET", "/status", user=people.staff)
    assert lines.of("asked")["user_id"] == people.staff.pk


@pytest.mark.django_db
def test_an_id_is_taken_over_from_those_who_are_trusted(settings: Any, valkey: Any) -> None:
    def answered(given: str) -> str:
        return str(request("GET", "/health", headers={"X-Request-ID": given}).headers["X-Request-ID"])

    assert answered("site-4711-abcdef") == "site-4711-abcdef"
    for bad in ("short", "x" * 65, "with space-123", 'quote"-123456', "-starts-wrong"):
        assert re.fullmatch(r"[0-9a-f-]{36}", answered(bad)), bad
    settings.OVEN_REQUEST_ID_FROM = ["10.0.0.0/8"]
    assert re.fullmatch(r"[0-9a-f-]{36}", answered("site-4711-abcdef"))


@pytest.mark.parametrize("path", ["/", "/nowhere", "/admin/", "/live/state", "/files/art/none.png", "/docs"])
@pytest.mark.django_db
def test_every_answer_has_an_id(path: str, valkey: Any) -> None:
    assert request("GET", path).headers["X-Request-ID"]


# --- from a request to its worker -----------------------------------------------------------------------------------


def logging_runner(execution: JobContext) -> None:
    log.warning("drawn")
    lifecycle.finish(execution.job, {})


@pytest.mark.django_db(transaction=True)
def test_a_job_can_be_followed_from_its_request_into_its_worker(lines: Lines, people: Any, valkey: Any) -> None:
    with kind_that_runs(logging_runner):
        client_id = "mint-0815-client"
        headers = {**people.bearer(people.grabbing_token), "X-Request-ID": client_id}
        work_soon()
        answer = request("POST", "/grab", body={"piece": "orbit", "format": "png"}, headers=headers)
    assert answer.headers["X-Request-ID"] == client_id
    attempt = Attempt.objects.get()
    line = lines.of("drawn")
    assert {name: line[name] for name in ("request_id", "kind", "job", "attempt", "worker")} == {
        "request_id": client_id,
        "kind": "grab",
        "job": attempt.job_id,
        "attempt": 1,
        "worker": worker.identity(),
    }
    assert f"Asked for by request {client_id}" in attempt.log


def work_soon() -> None:
    """A worker that takes the next grab while the request waits for it."""
    import threading

    lane = django_rq.get_queue("capture.now")

    def work() -> None:
        from tests.support import until

        until(lane.get_job_ids, 10)
        warm = worker.WarmWorker([lane], connection=queue.connection(), serializer=lane.serializer)
        warm._install_signal_handlers = lambda: None  # not the main thread
        warm.death_penalty_class = TimerDeathPenalty
        warm.work(burst=True, logging_level="WARNING")

    threading.Thread(target=work, daemon=True).start()


def test_outside_of_requests_there_is_no_id() -> None:
    assert logs.request_id() == ""


# --- how they look --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("format_", "json_lines"), [("json", True), ("console", False)])
def test_the_format_is_what_the_setting_says(format_: str, json_lines: bool) -> None:
    formatter = logging.config.DictConfigurator({"version": 1}).configure_formatter(
        dict(logs.logging_config(format_, "INFO")["formatters"]["structured"])
    )
    line = formatter.format(logging.LogRecord("captures", logging.INFO, "", 1, "hello %s", ("you",), None))
    assert line.startswith("{") is json_lines
    assert "hello you" in line


def test_the_level_is_that_of_every_logger_of_ours() -> None:
    levels = {name: found["level"] for name, found in logs.logging_config("json", "DEBUG")["loggers"].items()}
    assert {levels[name] for name in ("oven", "oven_site", "captures", "pins", "bakes", "bundles")} == {"DEBUG"}
    assert levels["rq"] == "WARNING"
