"""Both ways are off unless they are configured, and by half is an error that names what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.core.checks import run_checks
from django.test import Client

from oven.accounts.login import config
from oven.accounts.roles import Role

GOOD = {
    "OVEN_OIDC_ISSUER": "https://id.example",
    "OVEN_OIDC_CLIENT_ID": "oven",
    "OVEN_OIDC_ROLES": "a=viewer",
    "OVEN_PUBLIC_URL": "https://oven.example",
}


def said(settings: Any, **given: Any) -> list[str]:
    for name, value in given.items():
        setattr(settings, name, value)
    return [str(found.msg) for found in run_checks() if str(found.id).startswith("identity.")]


def test_nothing_is_shown_and_nothing_is_wrong(db: None, settings: Any) -> None:
    page = Client().get("/admin/login/").content.decode()
    assert "Sign in with" not in page
    assert "passkeys.js" not in page
    assert said(settings) == []


@pytest.mark.parametrize("name", GOOD)
def test_what_is_missing_is_named(settings: Any, name: str) -> None:
    found = said(settings, **{**GOOD, name: ""})
    assert len(found) == 1
    assert found[0].startswith(f"{name} is missing")


def test_all_of_it_is_no_error(settings: Any) -> None:
    assert said(settings, **GOOD, OVEN_PASSKEYS=True) == []


def test_a_secret_alone_is_half_a_configuration(settings: Any) -> None:
    assert len(said(settings, OVEN_OIDC_CLIENT_SECRET="s")) == 4


@pytest.mark.parametrize(
    "issuer", ["http://id.example", "id.example", "ftp://id.example", "https://", "https://" + "x" * 200]
)
def test_an_issuer_must_be_https(settings: Any, issuer: str) -> None:
    assert len(said(settings, **{**GOOD, "OVEN_OIDC_ISSUER": issuer})) == 1


@pytest.mark.parametrize("issuer", ["http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:1"])
def test_on_this_machine_it_may_be_http(settings: Any, issuer: str) -> None:
    assert said(settings, **{**GOOD, "OVEN_OIDC_ISSUER": issuer}) == []


@pytest.mark.parametrize("text", ["a", "a=root", "=viewer", "{", "[1]", '{"a": "root"}', '{"a": ["viewer"]}'])
def test_roles_that_are_none_are_named(settings: Any, text: str) -> None:
    found = said(settings, **{**GOOD, "OVEN_OIDC_ROLES": text})
    assert len(found) == 1
    assert "OVEN_OIDC_ROLES" in found[0]


def test_roles_are_read_in_both_ways() -> None:
    assert config.mapping("a=viewer, b=c=operator,") == {"a": Role.VIEWER, "b=c": Role.OPERATOR}
    assert config.mapping('{"CN=a,OU=b": "administrator"}') == {"CN=a,OU=b": Role.ADMINISTRATOR}


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("", True),
        ("http://oven.example", True),
        ("https://192.0.2.7", True),
        ("https://[2001:db8::1]", True),
        ("http://127.0.0.1:3002", True),
        ("http://localhost:3002", False),
        ("https://oven.example:8443", False),
    ],
)
def test_passkeys_need_a_host_that_browsers_take(settings: Any, url: str, wrong: bool) -> None:
    assert bool(said(settings, OVEN_PASSKEYS=True, OVEN_PUBLIC_URL=url)) is wrong


def fresh(tmp_path: Path, code: str, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPYCACHEPREFIX") if name in os.environ}
    env = {**kept, "OVEN_DATA": str(tmp_path), "OVEN_NO_DOTENV": "1", **environment}
    command = [sys.executable, *([code, *args] if args else ["-c", code])]
    return subprocess.run(command, cwd=site.BASE_DIR, env=env, capture_output=True, text=True, check=False)


def test_a_start_with_half_a_configuration_is_refused(tmp_path: Path) -> None:
    done = fresh(tmp_path, "manage.py", "migrate", "--noinput", OVEN_OIDC_ISSUER="https://id.example")
    assert done.returncode != 0
    assert "OVEN_OIDC_CLIENT_ID is missing" in done.stderr


@pytest.mark.exhaustive("the gate asks for every address of theirs")
def test_while_off_nothing_that_talks_to_providers_or_keys_is_loaded(tmp_path: Path) -> None:
    code = (
        "import os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'oven_site.settings'\n"
        "import django; django.setup(); import oven_site.urls\n"
        "print(sorted({'requests', 'fido2', 'jwt', 'oauthlib', 'qrcode', 'oven.accounts.login.oidc'} & set(sys.modules)))"
    )
    done = fresh(tmp_path, code)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
