"""Signed addresses: who may ask for more than everybody may, and until when."""

from __future__ import annotations

import time
from io import StringIO
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.core.management import CommandError, call_command

from oven.accounts import signatures
from oven.accounts.rates import seconds
from tests.support import Answer, request

pytestmark = pytest.mark.django_db
OLD, NEW = "the-older-of-two-keys", "the-newer-of-two-keys"
DEAR = "/grab/webp/512/512/$roz?duration=20000&fps=10"


@pytest.fixture
def signed(settings: Any, valkey: Any) -> Any:
    """Signatures are asked for, and no request waits for its grab."""
    settings.OVEN_URL_KEYS = [NEW, OLD]
    settings.OVEN_UNSIGNED_LIMITS = signatures.limits(["duration=12000", "density=2", "width=640"])
    settings.OVEN_WAIT_S = 0.01
    return settings


def get(address: str, **more: Any) -> tuple[int, str | None]:
    answer: Answer = request("GET", address, **more)
    return answer.status, answer.json.get("field")


def test_without_keys_nothing_needs_a_signature(settings: Any, valkey: Any) -> None:
    settings.OVEN_WAIT_S = 0.01
    assert get(DEAR) == (504, None)
    assert get(f"{DEAR}&sig=none") == (504, None)


def test_what_is_not_dear_needs_none(signed: Any) -> None:
    assert get("/grab/webp/512/512/$roz?duration=12000") == (504, None)
    assert get("/grab/png/512/512/$roz?duration=30000") == (504, None)  # a still has no duration


@pytest.mark.parametrize(
    ("address", "field"),
    [
        (DEAR, "duration"),
        ("/grab/png/64/64/$roz?density=2.5", "density"),
        ("/grab/png/64/64/$roz?viewportScale=3", "density"),
        ("/grab/png/641/64/$roz", "width"),
    ],
)
def test_what_is_dear_is_403_and_names_the_field(signed: Any, address: str, field: str) -> None:
    assert get(address) == (403, field)
    assert get(signatures.sign(address, 60)) == (504, None)


def test_staff_and_tokens_need_none(signed: Any, people: Any) -> None:
    assert get(DEAR, user=people.viewer) == (504, None)
    assert get(DEAR, headers=people.bearer(people.steering_token)) == (504, None)
    assert get(DEAR, user=people.outsider) == (403, "duration")


def test_a_signature_is_of_one_address_only(signed: Any) -> None:
    good = signatures.sign(DEAR, 60)
    for bad in (
        good.replace("20000", "20001"),
        good.replace("roz", "row"),
        good.replace("/512/512/", "/512/511/"),
        f"{good}&density=3",
        f"{good}&duration=30000",
        good.replace("exp=1", "exp=9"),
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        f"{DEAR}&sig=&exp=9999999999",
        f"{DEAR}&sig=%C3%A9&exp=9999999999",
    ):
        assert get(bad) == (403, "sig"), bad


def test_of_one_name_the_order_counts(signed: Any) -> None:
    good = signatures.sign("/grab/webp/64/64/x?duration=1000&duration=20000", 60)
    assert get(good) == (504, None)
    swapped = good.replace("duration=1000&duration=20000", "duration=20000&duration=1000")
    signatures.check(swapped, {"duration": 1000})  # asks for no more than everybody may
    with pytest.raises(signatures.Unsigned, match="not the signature"):
        signatures.check(swapped, {"duration": 20_000})


def test_names_may_come_in_any_order_and_written_in_any_way(signed: Any) -> None:
    query = urlsplit(signatures.sign(DEAR, 60)).query.split("&")
    assert get("/grab/webp/512/512/%24roz?" + "&".join(reversed(query))) == (504, None)
    assert get("/GRAB/webp/512/512/$roz/?" + "&".join(query)) == (504, None)


def test_a_signed_address_expires(signed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    good, now = signatures.sign(DEAR, 60), time.time()
    monkeypatch.setattr(signatures.time, "time", lambda: now + 61)
    assert get(good) == (403, "exp")


@pytest.mark.parametrize("ends", ["9" * 5000, "²", "٣" * 11, "never"])
def test_an_end_that_is_no_number_has_passed(signed: Any, ends: str) -> None:
    pairs = [*signatures._pairs(urlsplit(DEAR).query), ("exp", ends)]
    sig = signatures._digest(NEW, urlsplit(DEAR).path, pairs)
    assert get(f"{DEAR}&{urlencode({'exp': ends, 'sig': sig})}") == (403, "exp")


def test_all_keys_are_valid_and_a_key_that_was_taken_away_is_not(signed: Any) -> None:
    signed.OVEN_URL_KEYS = [OLD]
    by_old = signatures.sign(DEAR, 60)
    signed.OVEN_URL_KEYS = [NEW, OLD]
    assert get(by_old) == (504, None)
    signed.OVEN_URL_KEYS = [NEW]
    assert get(by_old) == (403, "sig")


def test_what_is_wrong_in_itself_is_400_signed_or_not(signed: Any) -> None:
    assert get(signatures.sign("/grab/webp/512/512/$roz?duration=40000", 60)) == (400, "duration")


# --- the command and the settings -----------------------------------------------------------------------------------


def test_the_command_prints_a_signed_address(signed: Any) -> None:
    out = StringIO()
    call_command("sign_url", f"https://oven.example{DEAR}", "--expires", "2h", stdout=out)
    printed = urlsplit(out.getvalue().strip())
    assert printed.netloc == "oven.example"
    assert get(f"{printed.path}?{printed.query}") == (504, None)
    ends = int(dict(pair.split("=") for pair in printed.query.split("&"))["exp"])
    assert 7190 <= ends - time.time() <= 7200
    again = StringIO()
    call_command("sign_url", out.getvalue().strip(), stdout=again)  # what was signed may be signed anew
    assert again.getvalue().count("sig=") == 1


@pytest.mark.parametrize("expires", ["soon", "0d", "1w", ""])
def test_the_command_refuses_a_time_that_is_none(signed: Any, expires: str) -> None:
    with pytest.raises(CommandError, match="is no time"):
        call_command("sign_url", DEAR, "--expires", expires)


def test_the_command_needs_a_key(settings: Any) -> None:
    settings.OVEN_URL_KEYS = []
    with pytest.raises(CommandError, match="OVEN_URL_KEYS"):
        call_command("sign_url", DEAR)


def test_times_are_read() -> None:
    assert [seconds(text) for text in ("90s", "15m", "12H", "1d")] == [90, 900, 43_200, 86_400]


def test_settings_that_are_wrong_are_refused() -> None:
    assert signatures.keys(["", " a-long-enough-key "]) == ["a-long-enough-key"]
    with pytest.raises(ValueError, match="at least 16"):
        signatures.keys(["short"])
    with pytest.raises(ValueError, match="colour is not one of"):
        signatures.limits(["colour=1"])
    with pytest.raises(ValueError, match="could not convert"):
        signatures.limits(["duration=much"])
