"""Wrong settings are named, with the value and what is valid; errors stop a start, warnings do not."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as site
from environ import FileAwareEnv
from environ.fileaware_mapping import FileAwareMapping

import oven_site
from oven.environment import SettingsError
from oven_site import checks

ROOT = Path(site.BASE_DIR)
ERROR, WARNING, DEPLOY = "error", "warning", "deploy"
SECRET = "hidden-value"
GOOD_KEY = "k" * 16
# What is set, how bad it is, the name and the value that the message shows, and a part of what it says is valid.
WRONG: list[tuple[dict[str, str], str, str, str, str]] = [
    # What does not parse, or is out of range.
    ({"OVEN_TAPE_MAX_MB": "abc"}, ERROR, "OVEN_TAPE_MAX_MB", "'abc'", "a whole number from 1"),
    ({"OVEN_TAPE_MAX_MB": "0"}, ERROR, "OVEN_TAPE_MAX_MB", "'0'", "a whole number from 1"),
    ({"OVEN_TAPE_MAX_MB": "1.5"}, ERROR, "OVEN_TAPE_MAX_MB", "'1.5'", "a whole number from 1"),
    ({"OVEN_TAPE_MAX_S": "10s"}, ERROR, "OVEN_TAPE_MAX_S", "'10s'", "a number above 0"),
    ({"OVEN_TAPE_MAX_S": "1,000"}, ERROR, "OVEN_TAPE_MAX_S", "'1,000'", "a number above 0"),
    ({"OVEN_WAIT_S": "nan"}, ERROR, "OVEN_WAIT_S", "'nan'", "a number above 0"),
    ({"OVEN_WAIT_S": "-1"}, ERROR, "OVEN_WAIT_S", "'-1'", "a number above 0"),
    ({"OVEN_SETTLE_MS": "-1"}, ERROR, "OVEN_SETTLE_MS", "'-1'", "from 0"),
    ({"OVEN_ALERT_DISK_PERCENT": "101"}, ERROR, "OVEN_ALERT_DISK_PERCENT", "'101'", "from 0 to 100"),
    ({"OVEN_CID_VERSION": "2"}, ERROR, "OVEN_CID_VERSION", "'2'", "from 0 to 1"),
    ({"OVEN_TICK_HZ": "0"}, ERROR, "OVEN_TICK_HZ", "'0'", "above 0, at most 1000"),
    ({"OVEN_PASSKEYS": "ture"}, ERROR, "OVEN_PASSKEYS", "'ture'", "true or false"),
    ({"DEBUG": "maybe"}, ERROR, "DEBUG", "'maybe'", "true or false"),
    ({"OVEN_THROTTLE_CAPTURES": "600 a day"}, ERROR, "OVEN_THROTTLE_CAPTURES", "'600 a day'", "600/10m"),
    ({"OVEN_UNSIGNED_LIMITS": "depth=3"}, ERROR, "OVEN_UNSIGNED_LIMITS", "'depth=3'", "duration, fps"),
    ({"OVEN_CALLBACK_DELAYS_S": "5,soon"}, ERROR, "OVEN_CALLBACK_DELAYS_S", "'5,soon'", "numbers of seconds"),
    ({"OVEN_PIN_DELAYS_S": "-5"}, ERROR, "OVEN_PIN_DELAYS_S", "'-5'", "numbers of seconds"),
    ({"OVEN_CHROMIUM_SANDBOX": "perhaps"}, ERROR, "OVEN_CHROMIUM_SANDBOX", "'perhaps'", "auto, on, off"),
    ({"OVEN_PINNING": "ipfs"}, ERROR, "OVEN_PINNING", "'ipfs'", "local, pinata, kubo"),
    ({"OVEN_LOG_FORMAT": "xml"}, ERROR, "OVEN_LOG_FORMAT", "'xml'", "json, console"),
    ({"OVEN_LOG_LEVEL": "loud"}, ERROR, "OVEN_LOG_LEVEL", "'loud'", "DEBUG, INFO"),
    ({"OVEN_TIME_ZONE": "Berlin"}, ERROR, "OVEN_TIME_ZONE", "'Berlin'", "Europe/Berlin"),
    ({"OVEN_TIME_ZONE": "Factory"}, ERROR, "OVEN_TIME_ZONE", "'Factory'", "Europe/Berlin"),
    ({"OVEN_READY_POOLS": "capture,ovens"}, ERROR, "OVEN_READY_POOLS", "'capture,ovens'", "bundle"),
    ({"ART_S3_ADDRESSING": "host"}, ERROR, "ART_S3_ADDRESSING", "'host'", "auto, path, virtual"),
    ({"BLOBS_S3_ACL": "open"}, ERROR, "BLOBS_S3_ACL", "'open'", "public-read"),
    ({"OVEN_URL_KEYS": SECRET}, ERROR, "OVEN_URL_KEYS", "***", "at least 16 characters"),
    ({"OVEN_WEBHOOK_KEYS": f"whsec_{SECRET}!"}, ERROR, "OVEN_WEBHOOK_KEYS", "***", "base64"),
    ({"OVEN_CALLBACK_SECRET_FILE": "/none"}, ERROR, "OVEN_CALLBACK_SECRET_FILE", "'/none'", "can be read"),
    # Addresses, hosts and networks.
    ({"OVEN_PUBLIC_URL": "oven.example"}, ERROR, "OVEN_PUBLIC_URL", "'oven.example'", "https://"),
    ({"OVEN_PUBLIC_URL": "https://"}, ERROR, "OVEN_PUBLIC_URL", "'https://'", "https://"),
    ({"OVEN_PIECE_ORIGIN": "http://host:port"}, ERROR, "OVEN_PIECE_ORIGIN", "'http://host:port'", "https://"),
    ({"OVEN_KUBO_URL": "127.0.0.1:5001"}, ERROR, "OVEN_KUBO_URL", "'127.0.0.1:5001'", "http://"),
    ({"ART_S3_ENDPOINT": "s3.example"}, ERROR, "ART_S3_ENDPOINT", "'s3.example'", "https://"),
    ({"REDIS_URL": "http://:hidden-value@a"}, ERROR, "REDIS_URL", "'http://:***@a'", "redis://"),
    ({"DATABASE_URL": "mysql://u:hidden-value@a/b"}, ERROR, "DATABASE_URL", "'mysql://u:***@a/b'", "postgres://"),
    ({"OVEN_PIECE_URL": "{origin}/{pice}"}, ERROR, "OVEN_PIECE_URL", "'{origin}/{pice}'", "{piece} is needed"),
    ({"OVEN_PIECE_URL": "{origin}/orbit"}, ERROR, "OVEN_PIECE_URL", "'{origin}/orbit'", "{piece} is needed"),
    ({"OVEN_CARD_LIST_URL": "{origin}/{"}, ERROR, "OVEN_CARD_LIST_URL", "'{origin}/{'", "{limit}"),
    ({"ALLOWED_HOSTS": "https://oven.example"}, ERROR, "ALLOWED_HOSTS", "'https://oven.example'", "without scheme"),
    ({"ALLOWED_HOSTS": "oven.example:443"}, ERROR, "ALLOWED_HOSTS", "'oven.example:443'", "without scheme and port"),
    ({"ALLOWED_HOSTS": ""}, ERROR, "ALLOWED_HOSTS", "empty", "Name the hosts"),
    ({"CSRF_TRUSTED_ORIGINS": "oven.example"}, ERROR, "CSRF_TRUSTED_ORIGINS", "'oven.example'", "https://"),
    ({"OVEN_TAPE_ORIGINS": "*.example"}, ERROR, "OVEN_TAPE_ORIGINS", "'*.example'", "https://"),
    ({"OVEN_CALLBACK_ORIGINS": "https://a/b"}, ERROR, "OVEN_CALLBACK_ORIGINS", "'https://a/b'", "without a path"),
    ({"OVEN_TRUSTED_PROXIES": "proxy"}, ERROR, "OVEN_TRUSTED_PROXIES", "'proxy'", "10.0.0.0/8"),
    ({"OVEN_TRUSTED_PROXIES": "10.1.2.3/8"}, ERROR, "OVEN_TRUSTED_PROXIES", "'10.1.2.3/8'", "10.0.0.0/8"),
    ({"OVEN_REQUEST_ID_FROM": "here"}, ERROR, "OVEN_REQUEST_ID_FROM", "'here'", "10.0.0.0/8"),
    # Halves, and back ends without their keys.
    ({"OVEN_PINNING": "pinata"}, ERROR, "OVEN_PINNING", "pinata", "OVEN_PINATA_JWT"),
    ({"OVEN_PINNING": "kubo"}, ERROR, "OVEN_PINNING", "kubo", "OVEN_KUBO_URL"),
    ({"OVEN_KUBO_TOKEN": SECRET}, ERROR, "OVEN_KUBO_TOKEN", "***", "OVEN_KUBO_URL is missing"),
    ({"OVEN_PINATA_KEY": SECRET}, ERROR, "OVEN_PINATA_KEY", "***", "OVEN_PINATA_SECRET is missing"),
    ({"OVEN_PINATA_SECRET": SECRET}, ERROR, "OVEN_PINATA_SECRET", "***", "OVEN_PINATA_KEY is missing"),
    ({"ART_S3_BUCKET": "b", "ART_S3_KEY": SECRET}, ERROR, "ART_S3_KEY", "***", "ART_S3_SECRET is missing"),
    ({"BLOBS_S3_BUCKET": "b", "BLOBS_S3_SECRET": SECRET}, ERROR, "BLOBS_S3_SECRET", "***", "BLOBS_S3_KEY is missing"),
    ({"ART_S3_ENDPOINT": "https://s3.example"}, ERROR, "ART_S3_ENDPOINT", "", "ART_S3_BUCKET is missing"),
    ({"ART_S3_BUCKET": "pictures"}, WARNING, "ART_S3_BUCKET", "pictures", "ART_S3_KEY and ART_S3_SECRET"),
    ({"OVEN_WEBHOOK_KEYS": "whsec_aGlkZGVu"}, WARNING, "OVEN_WEBHOOK_KEYS", "***", "OVEN_CALLBACK_SECRET"),
    ({"OVEN_OPEN_WRITES": "1"}, WARNING, "OVEN_OPEN_WRITES", "true", "OVEN_OPEN_WRITES_CONFIRMED=true"),
    ({"OVEN_OPEN_WRITES_CONFIRMED": "1"}, WARNING, "OVEN_OPEN_WRITES_CONFIRMED", "true", "OVEN_OPEN_WRITES=true"),
    # The wrong way round.
    ({"OVEN_STALE_S": "2"}, ERROR, "OVEN_STALE_S", "2", "more than OVEN_HEARTBEAT_S=2"),
    ({"OVEN_SESSION_MAX_S": "3600"}, WARNING, "OVEN_SESSION_MAX_S", "3600", "at least OVEN_SESSION_IDLE_S=86400"),
    ({"OVEN_STEP_LIMIT_S": "61"}, WARNING, "OVEN_STEP_LIMIT_S", "61", "OVEN_CAPTURE_TIMEOUT_S=60 should be at least"),
    (
        {"OVEN_NETWORK_WAIT_S": "90"},
        WARNING,
        "OVEN_NETWORK_WAIT_S",
        "90",
        "OVEN_CAPTURE_TIMEOUT_S=60 should be at least",
    ),
    ({"OVEN_FETCH_WAIT_S": "20"}, WARNING, "OVEN_FETCH_WAIT_S", "20", "OVEN_NETWORK_WAIT_S=15 should be at least"),
    # Names that are none, and places that are not there.
    ({"OVEN_TAPE_MAX_BM": "5"}, WARNING, "OVEN_TAPE_MAX_BM", "", "did you mean OVEN_TAPE_MAX_MB?"),
    ({"OVEN_CALLBACK_SECRETS_FILE": "a"}, WARNING, "OVEN_CALLBACK_SECRETS_FILE", "", "OVEN_CALLBACK_SECRET?"),
    ({"ART_S3_BUKET": "a"}, WARNING, "ART_S3_BUKET", "", "did you mean ART_S3_BUCKET?"),
    ({"OVEN_ZZZ": "5"}, WARNING, "OVEN_ZZZ", "", "not a setting of Oven."),
    ({"OVEN_BUNDLE_CORES": "5"}, WARNING, "OVEN_BUNDLE_CORES", "", "no longer a setting of Oven: it is always 8."),
    ({"OVEN_CHROMIUM": "/none"}, WARNING, "OVEN_CHROMIUM", "'/none'", "program"),
    ({"OVEN_NODE": "/none"}, WARNING, "OVEN_NODE", "'/none'", "program"),
    ({"OVEN_BUNDLE_SOURCE": "/none"}, WARNING, "OVEN_BUNDLE_SOURCE", "'/none'", "directory"),
    # What a production should not have.
    ({"OVEN_PUBLIC_URL": "http://a"}, DEPLOY, "OVEN_PUBLIC_URL", "'http://a'", "is not https"),
    ({"OVEN_PUBLIC_URL": "https://a"}, DEPLOY, "OVEN_TRUSTED_PROXIES", "empty", "behind a proxy"),
    ({"OVEN_TRUSTED_PROXIES": "0.0.0.0/0"}, DEPLOY, "OVEN_TRUSTED_PROXIES", "0.0.0.0/0", "any client"),
    ({"OVEN_TRUSTED_PROXIES": "*"}, DEPLOY, "OVEN_TRUSTED_PROXIES", "*", "any client"),
    ({"ALLOWED_HOSTS": "*"}, DEPLOY, "ALLOWED_HOSTS", "*", "name those"),
    ({"SECRET_KEY": "short"}, DEPLOY, "SECRET_KEY", "***", "16 characters"),
    ({"OVEN_CALLBACK_SECRET": "short"}, DEPLOY, "OVEN_CALLBACK_SECRET", "***", "16 characters"),
    (
        {"OVEN_OPEN_WRITES": "1", "OVEN_OPEN_WRITES_CONFIRMED": "1"},
        DEPLOY,
        "OVEN_OPEN_WRITES",
        "true",
        "anybody start",
    ),
    ({"OVEN_PUBLIC_LIVE": "1"}, DEPLOY, "OVEN_PUBLIC_LIVE", "true", "anybody watch"),
    ({"OVEN_CHROMIUM_SANDBOX": "off"}, DEPLOY, "OVEN_CHROMIUM_SANDBOX", "off", "sandbox"),
    ({"OVEN_THROTTLE_SIGN_INS": "off"}, DEPLOY, "OVEN_THROTTLE_SIGN_INS", "off", "limits"),
]


def settings_anew() -> dict[str, Any]:
    """Import the package of the settings again, with the environment as it is now; this process keeps its own."""
    package = "oven_site.settings"
    kept = {name: module for name, module in sys.modules.items() if f"{name}.".startswith(f"{package}.")}
    for name in kept:
        del sys.modules[name]
    try:
        return vars(importlib.import_module(package))
    finally:
        for name in [name for name in sys.modules if f"{name}.".startswith(f"{package}.")]:
            del sys.modules[name]
        sys.modules.update(kept)
        oven_site.settings = kept[package]  # type: ignore[attr-defined]


PRODUCTION = {
    "OVEN_PUBLIC_URL": "https://oven.example",
    "ALLOWED_HOSTS": "oven.example",
    "OVEN_TRUSTED_PROXIES": "10.0.0.7",
    "OVEN_CALLBACK_SECRET": "a-long-shared-secret",
}


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Reads the settings anew with an environment; returns its errors, its warnings and those of `check --deploy`."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    def found(**given: str) -> dict[str, list[str]]:
        environ = {"OVEN_DATA": str(tmp_path), "OVEN_NO_DOTENV": "1", **given}
        with monkeypatch.context() as patch:
            patch.setattr(os, "environ", environ)
            patch.setattr(FileAwareEnv, "ENVIRON", FileAwareMapping(environ))
            try:
                settings = SimpleNamespace(**settings_anew())
            except SettingsError as problem:
                return {ERROR: str(problem).splitlines(), WARNING: [], DEPLOY: []}
            patch.setattr(checks, "site", settings)
            always, deploy = checks.settings_together(), checks.production()
        return {
            ERROR: [message.msg for message in always if message.is_serious()],
            WARNING: [message.msg for message in always if not message.is_serious()],
            DEPLOY: [message.msg for message in deploy],
        }

    yield found


@pytest.mark.parametrize(
    ("given", "level", "name", "value", "valid"),
    WRONG,
    ids=[" ".join(f"{k}={v}" for k, v in w[0].items()) for w in WRONG],
)
def test_a_wrong_setting_is_named_with_its_value_and_what_is_valid(
    read: Any, given: dict[str, str], level: str, name: str, value: str, valid: str
) -> None:
    found = read(**given)
    said = [text for text in found[level] if name in text]
    assert len(said) == 1, found
    assert value in said[0]
    assert valid in said[0]
    assert "\n" not in said[0]
    assert SECRET not in said[0]
    if level != DEPLOY:  # and nothing else is wrong
        assert sum(map(len, (found[ERROR], found[WARNING]))) == 1, found


def test_nothing_is_wrong_with_the_defaults(read: Any) -> None:
    found = read()
    assert (found[ERROR], found[WARNING]) == ([], [])


def test_nothing_is_wrong_with_a_production(read: Any) -> None:
    assert read(**PRODUCTION) == {ERROR: [], WARNING: [], DEPLOY: []}


def test_a_secret_key_that_others_can_read_is_named(read: Any, tmp_path: Path) -> None:
    read()
    (tmp_path / "secret_key").chmod(0o644)
    found = read(**PRODUCTION)[DEPLOY]
    assert len(found) == 1
    assert "chmod 600" in found[0]


def test_everything_that_is_wrong_is_said_at_once(read: Any) -> None:
    found = read(OVEN_TAPE_MAX_MB="abc", OVEN_PASSKEYS="ture", OVEN_PUBLIC_URL="a")[ERROR]
    assert [text.partition("=")[0] for text in found] == ["OVEN_PUBLIC_URL", "OVEN_PASSKEYS", "OVEN_TAPE_MAX_MB"]


def test_a_secret_in_a_file_ends_before_the_line_break_and_may_begin_with_a_dollar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("$ecret\n")
    environ = {"OVEN_DATA": str(tmp_path), "OVEN_NO_DOTENV": "1", "OVEN_CALLBACK_SECRET_FILE": f"{tmp_path}/secret"}
    monkeypatch.setattr(os, "environ", environ)
    monkeypatch.setattr(FileAwareEnv, "ENVIRON", FileAwareMapping(environ))
    found = settings_anew()
    assert found["OVEN_CALLBACK_SECRET"] == "$ecret"


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("https://oven.example", ("__Host-sessionid", "__Host-csrftoken", True)),
        ("http://oven.example", ("sessionid", "csrftoken", False)),
    ],
)
def test_cookies_belong_to_the_host_where_the_site_is_https(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, names: tuple[Any, ...]
) -> None:
    environ = {"OVEN_DATA": str(tmp_path), "OVEN_NO_DOTENV": "1", "OVEN_PUBLIC_URL": url}
    monkeypatch.setattr(os, "environ", environ)
    monkeypatch.setattr(FileAwareEnv, "ENVIRON", FileAwareMapping(environ))
    found = settings_anew()
    usual = {"SESSION_COOKIE_NAME": "sessionid", "CSRF_COOKIE_NAME": "csrftoken"}
    shown = {**usual, **found}
    assert (shown["SESSION_COOKIE_NAME"], shown["CSRF_COOKIE_NAME"], shown["CSRF_COOKIE_SECURE"]) == names
    assert shown.get("SESSION_COOKIE_DOMAIN") is None
    assert shown.get("SESSION_COOKIE_PATH", "/") == "/"


# --- whole commands -------------------------------------------------------------------------------------------------


def command(tmp_path: Path, *arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPYCACHEPREFIX") if name in os.environ}
    env = {**kept, "OVEN_DATA": str(tmp_path / "data"), "OVEN_NO_DOTENV": "1", **given}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_command_says_it_in_one_line_and_fails(tmp_path: Path) -> None:
    done = command(tmp_path, "manage.py", "check", OVEN_TAPE_MAX_MB="abc")
    assert done.returncode == os.EX_CONFIG
    assert done.stderr == "OVEN_TAPE_MAX_MB='abc' is not valid: it must be a whole number from 1 on.\n"


def test_a_web_process_by_hand_says_it_without_a_traceback(tmp_path: Path) -> None:
    done = command(tmp_path, "-m", "uvicorn", "oven_site.asgi:application", "--port", "1", OVEN_PASSKEYS="ture")
    assert done.returncode == 1
    assert done.stderr == "OVEN_PASSKEYS='ture' is not valid: it must be true or false.\n"


def test_a_data_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    done = command(tmp_path, "manage.py", "migrate")
    assert done.returncode == os.EX_CONFIG
    assert done.stderr.startswith(f"OVEN_DATA='{tmp_path}/data' is not valid: it must be a directory")
    assert done.stderr.count("\n") == 1


def test_a_start_names_what_is_wrong_and_does_not_start(tmp_path: Path) -> None:
    done = command(tmp_path, "-m", "supervisor", "--roles", "light", OVEN_TAPE_MAX_MB="abc", REDIS_URL="redis://a")
    assert done.returncode == 1
    assert "OVEN_TAPE_MAX_MB='abc' is not valid: it must be a whole number from 1 on." in done.stdout
    assert "Oven did not start: the settings named above are wrong" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "again" not in done.stdout
