"""Settings of alerts that are wrong or incomplete are errors, which `migrate`, and so every start, refuses."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import Error, register
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from oven.egress import signing

ADDRESSES = ("OVEN_ALERT_WEBHOOK", "OVEN_PING_URL", "OVEN_PING_BACKUP_URL")


@register()
def alerts(**_: Any) -> list[Error]:
    problems = [*_addresses(), *_webhook_key(), *_mail()]
    if settings.OVEN_PING_EVERY_S < 1:
        problems.append(f"OVEN_PING_EVERY_S is {settings.OVEN_PING_EVERY_S:g}: at least 1 second is needed.")
    return [Error(problem, id="health.E001") for problem in problems]


def _addresses() -> list[str]:
    """The addresses themselves are secrets: they are not shown."""
    return [
        f"{name} is not an http or https address without a user name: https://host/path is needed."
        for name in ADDRESSES
        if getattr(settings, name) and not _is_address(getattr(settings, name))
    ]


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port != 0
    except ValueError:
        return False
    return bool(parts.scheme in ("http", "https") and parts.hostname and parts.username is None and port_is_valid)


def _webhook_key() -> list[str]:
    if not settings.OVEN_ALERT_WEBHOOK_KEY:
        return []
    if not settings.OVEN_ALERT_WEBHOOK:
        return ["OVEN_ALERT_WEBHOOK is missing: OVEN_ALERT_WEBHOOK_KEY signs what is posted there."]
    try:
        signing.decoded(settings.OVEN_ALERT_WEBHOOK_KEY, "OVEN_ALERT_WEBHOOK_KEY")
    except ValueError as error:
        return [str(error)]
    return []


def _mail() -> list[str]:
    problems = []
    if settings.EMAIL_URL and not settings.EMAIL_HOST:
        problems.append(
            "EMAIL_URL cannot be read: smtp+tls://user:password@host:587 is needed, or smtp+ssl://, smtp://."
        )
    if not settings.OVEN_ALERT_MAIL_TO:
        return problems
    if not settings.EMAIL_URL:
        problems.append("EMAIL_URL is missing: OVEN_ALERT_MAIL_TO needs a mail server.")
    for name, addresses in (
        ("OVEN_ALERT_MAIL_TO", settings.OVEN_ALERT_MAIL_TO),
        ("OVEN_ALERT_MAIL_FROM", [settings.OVEN_ALERT_MAIL_FROM]),
    ):
        for address in addresses:
            try:
                validate_email(address)
            except ValidationError:
                problems.append(f"{name}: {address!r} is not a mail address: name@host is needed.")
    return problems
