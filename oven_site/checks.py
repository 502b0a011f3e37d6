"""What settings mean together: errors stop a start, warnings are shown; `check --deploy` looks at production too.

`environment.py` has checked each value by itself before. `docs/operations.md` lists all of it.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as site
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from oven.redaction import MASK

LEAST_SECRET = 16  # characters of a shared secret
STORES = ("ART", "BLOBS")
AWS = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
Found = Iterator[CheckMessage]


def error(text: str) -> Error:
    return Error(text, id="oven.E001")


def warning(text: str) -> Warning:
    return Warning(text, id="oven.W001")


@register()
def settings_together(**_: Any) -> list[CheckMessage]:
    """Check what holds for every installation."""
    found: list[Callable[[Any], Found]] = [unknown, orders, pairs, stores, pinning, writes, places]
    return [message for check in found for message in check(site)]


def unknown(settings: Any) -> Found:
    yield from (warning(text) for text in settings.UNKNOWN_SETTINGS)


def orders(settings: Any) -> Found:
    """Find limits that are the wrong way round."""
    for larger, smaller, make, why in (
        ("OVEN_STALE_S", "OVEN_HEARTBEAT_S", error, "every running job would be taken for lost"),
        ("OVEN_SESSION_MAX_S", "OVEN_SESSION_IDLE_S", warning, "the latter would have no effect"),
        ("OVEN_CAPTURE_TIMEOUT_S", "OVEN_STEP_LIMIT_S", warning, "the latter would have no effect"),
        ("OVEN_CAPTURE_TIMEOUT_S", "OVEN_NETWORK_WAIT_S", warning, "slow files would end a capture"),
        ("OVEN_NETWORK_WAIT_S", "OVEN_FETCH_WAIT_S", warning, "the latter would have no effect"),
    ):
        high, low = getattr(settings, larger), getattr(settings, smaller)
        if high < low or (make is error and high == low):
            rule = "must be more than" if make is error else "should be at least"
            yield make(f"{larger}={high:g} {rule} {smaller}={low:g}: {why}.")


def pairs(settings: Any) -> Found:
    """Find one half of what only works as a whole."""
    if bool(settings.OVEN_PINATA_KEY) != bool(settings.OVEN_PINATA_SECRET):
        yield _missing("OVEN_PINATA_SECRET", "OVEN_PINATA_KEY", bool(settings.OVEN_PINATA_KEY))
    for prefix in STORES:
        options = settings.S3_OPTIONS[prefix.lower()]
        if bool(options["access_key"]) != bool(options["secret_key"]):
            yield _missing(f"{prefix}_S3_SECRET", f"{prefix}_S3_KEY", bool(options["access_key"]))
    if settings.OVEN_WEBHOOK_KEYS and not settings.OVEN_CALLBACK_SECRET:
        yield warning(
            f"OVEN_WEBHOOK_KEYS={MASK} has no effect without OVEN_CALLBACK_SECRET, without which nobody may bake."
        )


def _missing(second: str, first: str, has_first: bool) -> Error:
    missing, given = (second, first) if has_first else (first, second)
    return error(f"{missing} is missing: {given}={MASK} needs it.")


def stores(settings: Any) -> Found:
    """Find buckets without keys, and keys without a bucket."""
    for prefix in STORES:
        options = settings.S3_OPTIONS[prefix.lower()]
        bucket, given = (
            options["bucket_name"],
            [
                f"{prefix}_S3_{name}"
                for name, key in (("ENDPOINT", "endpoint_url"), ("REGION", "region_name"), ("KEY", "access_key"))
                if options[key]
            ],
        )
        if given and not bucket:
            yield error(f"{prefix}_S3_BUCKET is missing: {given[0]} needs it; without a bucket files stay here.")
        keys = options["access_key"] or options["secret_key"]
        if bucket and not keys and not any(name in os.environ for name in AWS):
            yield warning(
                f"{prefix}_S3_BUCKET={bucket} has no {prefix}_S3_KEY and {prefix}_S3_SECRET: "
                "only the keys of this machine's own role in AWS can open it."
            )


def pinning(settings: Any) -> Found:
    """Find a pinning service without its keys."""
    name = settings.OVEN_PINNING
    if name == "pinata" and not (settings.OVEN_PINATA_JWT or settings.OVEN_PINATA_KEY):
        yield error("OVEN_PINNING=pinata needs OVEN_PINATA_JWT, or OVEN_PINATA_KEY and OVEN_PINATA_SECRET.")
    if name == "kubo" and not settings.OVEN_KUBO_URL:
        yield error("OVEN_PINNING=kubo needs OVEN_KUBO_URL.")
    if settings.OVEN_KUBO_TOKEN and not settings.OVEN_KUBO_URL:
        yield error(f"OVEN_KUBO_URL is missing: OVEN_KUBO_TOKEN={MASK} needs it.")


def writes(settings: Any) -> Found:
    if settings.OVEN_OPEN_WRITES and not (settings.DEBUG or settings.OVEN_OPEN_WRITES_CONFIRMED):
        yield warning("OVEN_OPEN_WRITES=true has no effect without OVEN_OPEN_WRITES_CONFIRMED=true.")
    if settings.OVEN_OPEN_WRITES_CONFIRMED and not settings.OVEN_OPEN_WRITES:
        yield warning("OVEN_OPEN_WRITES_CONFIRMED=true has no effect without OVEN_OPEN_WRITES=true.")
    if not settings.ALLOWED_HOSTS and not settings.DEBUG:
        yield error("ALLOWED_HOSTS is empty: every request would be refused. Name the hosts, or * for any.")


def places(settings: Any) -> Found:
    """Find programs and directories that are not there; other machines of the installation may have them."""
    for name in ("OVEN_CHROMIUM", "OVEN_NODE"):
        path = getattr(settings, name)
        if path and not os.access(path, os.X_OK):
            yield warning(f"{name}={path!r} is no program that can be run here.")
    if not Path(settings.OVEN_BUNDLE_SOURCE).is_dir():
        yield warning(f"OVEN_BUNDLE_SOURCE={settings.OVEN_BUNDLE_SOURCE!r} is no directory here.")


@register(Tags.security, deploy=True)
def production(**_: Any) -> list[CheckMessage]:
    """Check what a production should have: `manage.py check --deploy`."""
    found: list[Callable[[Any], Found]] = [addresses, secrets, openness]
    return [message for check in found for message in check(site)]


def addresses(settings: Any) -> Found:
    """Find what a site in the open should say of its address and its proxy."""
    url, trusted = settings.OVEN_PUBLIC_URL, settings.OVEN_TRUSTED_PROXIES
    if urlsplit(url).scheme != "https":
        yield warning(f"OVEN_PUBLIC_URL={url!r} is not https: the cookies of sessions are not Secure.")
    elif not trusted:
        yield warning("OVEN_TRUSTED_PROXIES is empty: behind a proxy for https, all clients count as one.")
    if any(proxy == "*" or ipaddress.ip_network(proxy).prefixlen == 0 for proxy in trusted):
        yield warning(f"OVEN_TRUSTED_PROXIES={','.join(trusted)} lets any client choose its own address.")
    if "*" in settings.ALLOWED_HOSTS:
        yield warning("ALLOWED_HOSTS=* serves any host name: name those of this site.")


def secrets(settings: Any) -> Found:
    """Find secrets that can be guessed or read."""
    for name in ("SECRET_KEY", "OVEN_CALLBACK_SECRET"):
        value = getattr(settings, name)
        if value and len(value) < LEAST_SECRET:
            yield warning(f"{name}={MASK} has fewer than {LEAST_SECRET} characters: it can be guessed.")
    kept = Path(settings.OVEN_DATA) / "secret_key"
    if kept.exists() and kept.stat().st_mode & 0o077:
        yield warning(f"{kept} can be read by others (SECRET_KEY): chmod 600.")


def openness(settings: Any) -> Found:
    """Find what is open to everybody."""
    if settings.OVEN_OPEN_WRITES and (settings.DEBUG or settings.OVEN_OPEN_WRITES_CONFIRMED):
        yield warning("OVEN_OPEN_WRITES=true lets anybody start and steer grabs.")
    if settings.OVEN_PUBLIC_LIVE:
        yield warning("OVEN_PUBLIC_LIVE=true lets anybody watch the live page.")
    if settings.OVEN_CHROMIUM_SANDBOX == "off" or os.geteuid() == 0:
        given = settings.OVEN_CHROMIUM_SANDBOX
        yield warning(f"OVEN_CHROMIUM_SANDBOX={given}: pages are not kept in a sandbox (off, or root).")
    for name in sorted(name for name in dir(settings) if name.startswith("OVEN_THROTTLE_")):
        if name != "OVEN_THROTTLE_TOKEN_COST" and not getattr(settings, name).times:  # off by default
            yield warning(f"{name}=off: nothing limits how often one client may ask.")
