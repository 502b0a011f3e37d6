from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from oven.accounts.models import ApiToken, Scope, digest
from tests.support import request


def made(*args: str) -> str:
    out = StringIO()
    call_command("token", *args, stdout=out)
    return out.getvalue().strip()


def test_only_the_digest_of_a_token_is_stored(db: None) -> None:
    secret = made("ci")
    row = ApiToken.objects.values().get()
    assert row["digest"] == digest(secret)
    assert all(secret not in str(value) for value in row.values())
    assert secret.startswith(row["hint"])
    assert len(row["hint"]) <= 10 < len(secret) - 25


def test_the_command_prints_a_token_that_works(db: None, valkey: Any) -> None:
    secret = made("ci", "--scope", "steer")
    assert request("POST", "/grab-cleanup", headers={"Authorization": f"Bearer {secret}"}).status == 200


def test_a_token_has_every_scope_unless_told_otherwise(db: None) -> None:
    made("all")
    made("one", "--scope", "grab")
    assert ApiToken.objects.get(name="all").scopes == Scope.values
    assert ApiToken.objects.get(name="one").scopes == ["grab"]


def test_days_say_when_a_token_expires(db: None) -> None:
    made("ci", "--days", "2")
    expires = ApiToken.objects.get().expires_at
    assert expires is not None
    assert abs(expires - timezone.now() - timedelta(days=2)) < timedelta(minutes=1)


def test_a_name_is_given_once(db: None) -> None:
    made("ci")
    with pytest.raises(CommandError, match="already"):
        made("ci")


def test_an_unknown_scope_is_refused(db: None) -> None:
    with pytest.raises(CommandError):
        made("ci", "--scope", "everything")


def test_a_renewed_token_ends_the_old_one(db: None) -> None:
    old = made("ci")
    token = ApiToken.objects.get()
    new = token.renew()
    token.save()
    assert new != old
    assert not ApiToken.objects.filter(digest=digest(old)).exists()
