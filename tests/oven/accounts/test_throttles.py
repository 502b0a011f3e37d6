from __future__ import annotations

import logging
from typing import Any

import pytest
from redis import Redis

from oven import redis
from oven.accounts import throttles
from oven.accounts.clients import named
from oven.accounts.rates import UNLIMITED, Rate, rate
from oven.accounts.throttles import Rule, Throttled
from oven.http.errors import CORS
from tests.support import finished, request

CLIENT = "client:192.0.2.7"


# --- how rates are written ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("600/10m", Rate(600, 600)),
        ("5/s", Rate(5, 1)),
        (" 1/2H ", Rate(1, 7200)),
        ("3/d", Rate(3, 86_400)),
        ("600/10m burst 60", Rate(600, 600, 60)),
        ("off", UNLIMITED),
        ("", UNLIMITED),
    ],
)
def test_rates_are_read(text: str, found: Rate) -> None:
    assert rate(text) == found


@pytest.mark.parametrize("text", ["many", "5", "5/", "0/m", "5/0m", "-1/m", "5/10w"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        rate(text)


# --- who is who -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "local"),
        ("testclient", "local"),
    ],
)
def test_an_address_has_one_name_and_a_network_of_v6_too(address: str, name: str) -> None:
    assert named(address) == name


# --- the count ------------------------------------------------------------------------------------------------------


def test_so_many_at_once_and_then_one_after_the_other(settings: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_CAPTURES = rate("3/h")
    with throttles.paid_by(CLIENT):
        for _ in range(3):
            throttles.charge(Rule.CAPTURES)
        with pytest.raises(Throttled) as throttled:
            throttles.charge(Rule.CAPTURES)
    assert 1190 <= throttled.value.retry_after_s <= 1200


def test_what_was_refused_is_not_counted(settings: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_CAPTURES = Rate(1, 0.15)
    with throttles.paid_by(CLIENT):
        throttles.charge(Rule.CAPTURES)
        for _ in range(20):
            with pytest.raises(Throttled):
                throttles.charge(Rule.CAPTURES)
        import time

        time.sleep(0.16)
        throttles.charge(Rule.CAPTURES)


def test_each_client_and_each_rule_has_its_own_count(settings: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_CAPTURES = settings.OVEN_THROTTLE_BUNDLES = rate("1/h")
    settings.OVEN_THROTTLE_TOKEN_CAPTURES = rate("2/h")
    for name, rule, times in [
        (CLIENT, Rule.CAPTURES, 1),
        ("client:192.0.2.8", Rule.CAPTURES, 1),
        (CLIENT, Rule.BUNDLES, 1),
        ("token:7", Rule.CAPTURES, 2),
    ]:
        with throttles.paid_by(name):
            for _ in range(times):
                throttles.charge(rule)
            with pytest.raises(Throttled):
                throttles.charge(rule)


def test_nobody_pays_for_a_worker(settings: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_CAPTURES = rate("1/h")
    for _ in range(3):
        throttles.charge(Rule.CAPTURES)
    assert valkey.keys(f"{throttles.KEY}*") == []


def test_of_two_rules_either_both_are_charged_or_none(settings: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_SIGN_INS, settings.OVEN_THROTTLE_SIGN_IN_NAMES = rate("5/h"), rate("1/h")
    names = {Rule.SIGN_INS: CLIENT, Rule.SIGN_IN_NAMES: "name:alice"}
    throttles.check(names)
    for _ in range(10):
        with pytest.raises(Throttled):
            throttles.check(names)
    for number in range(4):  # one of five is gone
        throttles.check({**names, Rule.SIGN_IN_NAMES: f"name:{number}"})
    with pytest.raises(Throttled):
        throttles.check({**names, Rule.SIGN_IN_NAMES: "name:bob"})


def test_looking_counts_nothing(settings: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_SIGN_INS = rate("1/h")
    for _ in range(3):
        throttles.check({Rule.SIGN_INS: CLIENT}, count=False)
    throttles.check({Rule.SIGN_INS: CLIENT})
    with pytest.raises(Throttled):
        throttles.check({Rule.SIGN_INS: CLIENT}, count=False)


def test_counts_are_forgotten_and_name_nobody(settings: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_CAPTURES = rate("600/10m")
    with throttles.paid_by(CLIENT):
        throttles.charge(Rule.CAPTURES)
    (key,) = valkey.keys(f"{throttles.KEY}*")
    assert b"192.0.2.7" not in key
    assert 0 < valkey.pttl(key) <= 1002


def test_a_charge_is_one_question_to_redis(settings: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_CAPTURES = rate("600/10m")
    with throttles.paid_by(CLIENT):
        throttles.charge(Rule.CAPTURES)  # the script is known from now on
        before = valkey.info("stats")["total_commands_processed"]
        throttles.charge(Rule.CAPTURES)
        between = valkey.info("stats")["total_commands_processed"] - before
    assert between <= 5  # the script with what it does, and the question itself


def test_a_redis_that_is_gone_lets_everybody_in_and_says_so(
    settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings.OVEN_THROTTLE_CAPTURES = rate("1/h")
    gone = Redis.from_url("unix:///nowhere/valkey.sock")
    monkeypatch.setattr(redis, "client", lambda: gone)
    monkeypatch.setattr(throttles, "_said_at", -1e9)
    with caplog.at_level(logging.WARNING), throttles.paid_by(CLIENT):
        for _ in range(3):
            throttles.charge(Rule.CAPTURES)
    assert [record.getMessage() for record in caplog.records] == [
        "nobody is throttled: the queue does not answer (ConnectionError)"
    ]


def test_a_redis_that_was_wiped_counts_from_the_start(settings: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_CAPTURES = rate("1/h")
    with throttles.paid_by(CLIENT):
        throttles.charge(Rule.CAPTURES)
        valkey.flushall()
        valkey.script_flush()
        throttles.charge(Rule.CAPTURES)


# --- the routes -----------------------------------------------------------------------------------------------------


@pytest.fixture
def brief(settings: Any, db: None, valkey: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One new capture and one bundle an hour, for which no request waits."""
    settings.OVEN_THROTTLE_CAPTURES = settings.OVEN_THROTTLE_BUNDLES = rate("1/h")
    settings.OVEN_WAIT_S = settings.OVEN_BUNDLE_WAIT_S = 0.01
    return settings


COLD = [
    "/grab/png/64/64/{}",
    "/icon/64x64/{}.png",
    "/preview/64x64/{}.png",
    "/app-screenshots/phone-portrait/{}.png",
]


@pytest.mark.parametrize("path", [*COLD, "/bundle-html?piece={}"])
def test_one_new_thing_too_many_is_429(brief: Any, path: str) -> None:
    assert request("GET", path.format("first")).status == 504  # taken in, and not waited for
    answer = request("GET", path.format("second"))
    assert answer.status == 429
    assert set(answer.json) == {"error"}
    assert 3590 <= int(answer.headers["Retry-After"]) <= 3600
    assert {name: answer.headers[name] for name in CORS} == CORS


def test_an_event_stream_says_it_in_an_event(brief: Any) -> None:
    assert request("GET", "/bundle-html?piece=first").status == 504
    answer = request("GET", "/bundle-html?piece=second&format=stream")
    assert answer.status == 200
    assert answer.body.startswith(b"event: error\ndata: ")
    assert b"Too many new bundles" in answer.body


def test_a_card_that_is_not_there_is_a_capture(brief: Any) -> None:
    assert request("GET", "/kidlisp-og").status == 504
    assert request("GET", "/kidlisp-og?layout=mosaic").status == 429
    assert request("GET", "/kidlisp-og").status == 504  # it is under way


def test_the_card_that_never_fails_does_not_fail_for_that(brief: Any) -> None:
    assert request("GET", "/kidlisp-og").status == 504
    answer = request("GET", "/kidlisp-og.png")
    assert (answer.status, answer.headers["X-Cache"]) == (302, "NONE")


def test_what_is_cached_or_under_way_is_without_a_limit(brief: Any, grab: Any, tmp_path: Any) -> None:
    finished(grab(piece="cached", format="png"), tmp_path)
    grab(piece="under-way", format="png")
    assert request("GET", "/grab/png/64/64/first").status == 504
    for _ in range(5):
        assert request("GET", "/grab/png/64/64/cached").status == 302
        assert request("GET", "/grab/png/64/64/under-way").status == 504
    assert request("GET", "/grab/png/64/64/second").status == 429


def test_a_wish_that_is_refused_costs_nothing(brief: Any) -> None:
    for _ in range(3):
        assert request("GET", "/grab/bmp/64/64/first").status == 400
    assert request("GET", "/grab/png/64/64/first").status == 504


def test_a_token_has_a_count_of_its_own_and_staff_have_none(brief: Any, people: Any) -> None:
    brief.OVEN_THROTTLE_TOKEN_CAPTURES = rate("2/h")
    assert request("GET", "/grab/png/64/64/a").status == 504
    token = people.bearer(people.grabbing_token)
    assert [request("GET", f"/grab/png/64/64/t{n}", headers=token).status for n in range(3)] == [504, 504, 429]
    assert [request("GET", f"/grab/png/64/64/s{n}", user=people.staff).status for n in range(3)] == [504] * 3
    assert request("GET", "/grab/png/64/64/b", user=people.outsider).status == 429


def test_writes_are_counted_by_token_and_by_client(settings: Any, people: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_WRITES, settings.OVEN_THROTTLE_TOKEN_WRITES = rate("2/h"), rate("1/h")
    token = people.bearer(people.steering_token)
    assert [request("POST", "/grab-cleanup", headers=token).status for _ in range(2)] == [200, 429]
    assert [request("POST", "/bake-status", body={"code": "x"}).status for _ in range(3)] == [200, 200, 429]


def test_a_made_up_token_has_no_count_of_its_own(settings: Any, people: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_WRITES = rate("2/h")
    found = [request("POST", "/grab-cleanup", headers=people.bearer(f"oven_{number}")).status for number in range(4)]
    assert found == [401, 401, 429, 429]


def test_only_the_burst_may_come_at_once(settings: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_CAPTURES = rate("600/10m burst 3")
    with throttles.paid_by(CLIENT):
        for _ in range(3):
            throttles.charge(Rule.CAPTURES)
        with pytest.raises(Throttled) as throttled:
            throttles.charge(Rule.CAPTURES)
    assert throttled.value.retry_after_s == 1


def test_an_amount_above_the_burst_takes_all_of_it(settings: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_COST = rate("60/m burst 10")
    with throttles.paid_by(CLIENT):
        throttles.charge(Rule.COST, 4000)
        with pytest.raises(Throttled) as throttled:
            throttles.charge(Rule.COST, 4000)
        assert throttled.value.retry_after_s == 10


def test_the_message_names_the_rule_that_refused(settings: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_CAPTURES, settings.OVEN_THROTTLE_COST = rate("100/h"), rate("10/h")
    with throttles.paid_by(CLIENT):
        throttles.charge(Rule.CAPTURES, **{Rule.COST: 10.0})
        with pytest.raises(Throttled, match="megapixels"):
            throttles.charge(Rule.CAPTURES, **{Rule.COST: 5.0})
