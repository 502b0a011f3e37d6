"""How often one client may ask for something dear: counted in Redis, for all web processes together.

Who pays is set once for a request (`pays`), and whatever is dear charges it (`charge`), however deep it lies: what is
answered from a cache charges nothing, and a worker, who has no payer, pays nothing. A Redis that is gone lets
everybody in: the queue that the work would wait in is gone with it.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from enum import StrEnum

from django.conf import settings
from redis.exceptions import RedisError

from oven import redis
from oven.accounts.rates import Rate

log = logging.getLogger(__name__)
KEY = "oven:throttle:"
CLIENT_CHARS = 20
SAID_EVERY_S = 30.0
# The generic cell rate algorithm: of each payer one number is kept, the moment (ms) at which all is as at first.
# Either every key is charged, or none: by how much, at what interval, and how much may come at once.
# Answers with the ms to wait (0 for "go on"), and the number of the key that says so.
_SCRIPT = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local wait, which, later = 0, 0, {}
for i, key in ipairs(KEYS) do
  local amount, interval, burst = tonumber(ARGV[i * 3 - 1]), tonumber(ARGV[i * 3]), tonumber(ARGV[i * 3 + 1])
  local due = math.max(tonumber(redis.call('GET', key) or now), now) + interval * amount
  local late = due - now - interval * burst
  if late > wait then wait, which = late, i end
  later[i] = due
end
if wait >= 1 then return {math.ceil(wait), which} end
if ARGV[1] == '1' then
  for i, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.3f', later[i]), 'PX', math.ceil(later[i] - now) + 1)
  end
end
return {0, 0}
"""
_payer: ContextVar[str] = ContextVar("payer", default="")
_said_at = -math.inf


class Rule(StrEnum):
    """What is counted; the value is the name of its setting after OVEN_THROTTLE_."""

    CAPTURES = "CAPTURES"  # that no cache could answer
    COST = "COST"  # of these, in megapixels of all their frames
    BUNDLES = "BUNDLES"  # the same
    WRITES = "WRITES"  # requests that are no GET
    SIGN_INS = "SIGN_INS"  # that failed
    SIGN_IN_NAMES = "SIGN_IN_NAMES"  # that failed, of one account from anywhere

    @property
    def what(self) -> str:
        return _WHAT[self]


_WHAT = {
    Rule.CAPTURES: "new captures",
    Rule.COST: "megapixels of new captures",
    Rule.BUNDLES: "new bundles",
    Rule.WRITES: "writes",
    Rule.SIGN_INS: "failed attempts to sign in",
    Rule.SIGN_IN_NAMES: "failed attempts to sign in",
}


class Throttled(Exception):
    """Too often: 429. `retry_after_s` is a whole number, at least 1."""

    def __init__(self, rule: Rule, wait_ms: int) -> None:
        self.rule, self.retry_after_s = rule, max(1, math.ceil(wait_ms / 1000))
        self.message = f"Too many {rule.what}. Try again in {self.retry_after_s} s."
        super().__init__(self.message)


# --- who pays -------------------------------------------------------------------------------------------------------


def pays(name: str) -> Token[str]:
    """From now on, within this request: `client:...`, `token:...`, or nobody (empty)."""
    return _payer.set(name)


def paid(before: Token[str]) -> None:
    """The request is over."""
    _payer.reset(before)


def payer() -> str:
    return _payer.get()


def anonymous_client() -> str:
    """Return a digest that names the anonymous client of the request; empty for tokens, staff and workers."""
    name = payer()
    if not name.startswith("client:"):
        return ""
    return hmac.new(settings.SECRET_KEY.encode(), name.encode(), hashlib.sha256).hexdigest()[:CLIENT_CHARS]


@contextmanager
def paid_by(name: str) -> Iterator[None]:
    before = pays(name)
    try:
        yield
    finally:
        paid(before)


# --- charging -------------------------------------------------------------------------------------------------------


def rate_of(rule: Rule, name: str) -> Rate:
    """What tokens may do has a setting of its own where it differs."""
    own = "TOKEN_" if name.startswith("token:") else ""
    found: Rate = getattr(settings, f"OVEN_THROTTLE_{own}{rule}", None) or getattr(settings, f"OVEN_THROTTLE_{rule}")
    return found


def charge(rule: Rule, amount: float = 1, **more: float) -> None:
    """Charge whoever pays for the request. `more`: amounts by the names of further rules. Raises Throttled.

    An amount above a rule's burst counts as the burst: it could never be paid otherwise.
    """
    if name := payer():
        amounts = {rule: amount, **{Rule(other): value for other, value in more.items()}}
        _check({each: (name, rate_of(each, name)) for each in amounts}, amounts)


def check(names: dict[Rule, str], *, count: bool = True) -> None:
    """Charge or (without `count`) look at several rules at once. Raises Throttled for the one that is most over."""
    _check({rule: (name, rate_of(rule, "client:")) for rule, name in names.items()}, dict.fromkeys(names, 1), count)


def _check(asked: dict[Rule, tuple[str, Rate]], amounts: dict[Rule, float], count: bool = True) -> None:
    limited = {rule: (name, rate) for rule, (name, rate) in asked.items() if rate.times}
    if limited:
        _ask(limited, amounts, count)


def _ask(limited: dict[Rule, tuple[str, Rate]], amounts: dict[Rule, float], count: bool) -> None:
    keys = [f"{KEY}{rule}:{_short(name)}" for rule, (name, _) in limited.items()]
    numbers: list[float] = []
    for rule, (_, rate) in limited.items():
        numbers += [min(amounts[rule], rate.most), rate.interval_ms, rate.most]
    try:
        script = redis.client().register_script(_SCRIPT)
        wait_ms, which = script(keys=keys, args=[int(count), *numbers])
    except RedisError as error:
        _say(error)
        return
    if wait_ms:
        raise Throttled(list(limited)[which - 1], wait_ms)


def _short(name: str) -> str:
    """Names may be of any length, and personal."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _say(error: RedisError) -> None:
    global _said_at
    if time.monotonic() - _said_at > SAID_EVERY_S:
        _said_at = time.monotonic()
        log.warning("nobody is throttled: the queue does not answer (%s)", type(error).__name__)
