from __future__ import annotations

import base64
import time
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bakes import signing

BODY = b'{"code": "abc123"}'
OLD, NEW = ("whsec_" + base64.b64encode(key * 8).decode() for key in (b"old!", b"new!"))


def test_the_published_package_verifies_it(settings: Any) -> None:
    settings.OVEN_WEBHOOK_KEYS = [NEW]
    headers = signing.headers("msg_1", int(time.time()), BODY)
    assert Webhook(NEW).verify(BODY, headers) == {"code": "abc123"}


def test_without_keys_the_shared_secret_is_the_key(settings: Any) -> None:
    settings.OVEN_CALLBACK_SECRET = "shared"
    headers = signing.headers("msg_1", int(time.time()), BODY)
    assert Webhook(base64.b64encode(b"shared").decode()).verify(BODY, headers)


def test_while_keys_are_rotated_both_verify(settings: Any) -> None:
    settings.OVEN_WEBHOOK_KEYS = [NEW, OLD]
    headers = signing.headers("msg_1", int(time.time()), BODY)
    for key in (OLD, NEW):
        assert Webhook(key).verify(BODY, headers)


@pytest.mark.parametrize(
    "change", [{"webhook-id": "msg_2"}, {"webhook-timestamp": "1700000000"}, {"webhook-signature": "v1,AAAA"}]
)
def test_a_changed_message_is_refused(settings: Any, change: dict[str, str]) -> None:
    settings.OVEN_WEBHOOK_KEYS = [NEW]
    headers = signing.headers("msg_1", int(time.time()), BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY, headers | change)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY + b" ", headers)


def test_a_key_that_is_none_is_named(settings: Any) -> None:
    settings.OVEN_WEBHOOK_KEYS = ["nonsense!"]
    with pytest.raises(ValueError, match="OVEN_WEBHOOK_KEYS"):
        signing.keys()
