from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from oven.version import CHANGELOG, read_version
from tests.oven_site.conftest import ReadSettings

ROOT = Path(settings.BASE_DIR)
EXAMPLE = (ROOT / ".env.example").read_text()


def names_read() -> set[str]:
    """Every name that the settings ask the environment for."""
    found: set[str] = set()
    trees = [ast.parse(path.read_text()) for path in (ROOT / "oven_site" / "settings").glob("*.py")]
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Call) and re.fullmatch(
            r"_rate|env\.(?!read_env|finish|unknown|constant)\w+", ast.unparse(node.func)
        ):
            found |= _spelled_out(node.args[0])
    return found


def _spelled_out(argument: ast.expr) -> set[str]:
    if isinstance(argument, ast.Constant):
        return {str(argument.value)}
    if isinstance(argument, ast.JoinedStr):  # of a named store
        last = ast.unparse(argument).split("}")[-1].rstrip("'\"")
        return {f"{store}{last}" for store in ("ART", "BLOBS")}
    return set()


def test_the_example_lists_exactly_the_names_that_are_read() -> None:
    listed = re.findall(r"^# ?([A-Z][A-Z0-9_]+)=", EXAMPLE, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == names_read()


def test_the_example_changes_nothing_when_it_is_copied() -> None:
    assert [line for line in EXAMPLE.splitlines() if line and not line.startswith("#")] == []


def test_every_name_of_the_example_has_its_meaning_above_it() -> None:
    lines = EXAMPLE.splitlines()
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r"# ?[A-Z][A-Z0-9_]+=", line) and not re.match(r"# [A-Za-z]", before)
    ]
    assert bare == []


def test_the_example_shows_the_defaults(read_settings: ReadSettings) -> None:
    shown = dict(re.findall(r"^# (OVEN_[A-Z0-9_]+)=(.+)$", EXAMPLE, re.MULTILINE))
    del shown["OVEN_DATA"]
    as_shown, default = vars(read_settings(**shown)), vars(read_settings())
    assert {name: as_shown[name] for name in shown} == {name: default[name] for name in shown}


def test_the_environment_decides(read_settings: ReadSettings) -> None:
    given = {"DEBUG": "1", "SECRET_KEY": "s", "OVEN_QUEUE_CEILING": "7", "OVEN_BLOCKED_URLS": "*a*,*b*"}
    found = read_settings(**given)
    assert (found.DEBUG, found.SECRET_KEY, found.OVEN_QUEUE_CEILING) == (True, "s", 7)
    assert found.OVEN_BLOCKED_URLS == ["*a*", "*b*"]


def test_a_secret_may_lie_in_a_file(read_settings: ReadSettings, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file")
    assert read_settings(SECRET_KEY_FILE=str(tmp_path / "key")).SECRET_KEY == "from-a-file"


def test_the_secret_is_made_once_and_is_nobody_elses(read_settings: ReadSettings, tmp_path: Path) -> None:
    first = read_settings().SECRET_KEY
    assert first == read_settings().SECRET_KEY
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600
    assert first != read_settings(OVEN_DATA=str(tmp_path / "other")).SECRET_KEY


def test_the_mail_server_is_read_from_one_address(read_settings: ReadSettings) -> None:
    found = read_settings(EMAIL_URL="smtp+tls://me%40mail.example:se%2Fcret@mail.example:587")
    assert (found.EMAIL_HOST, found.EMAIL_PORT, found.EMAIL_HOST_PASSWORD) == ("mail.example", 587, "se/cret")
    assert (found.EMAIL_USE_TLS, found.OVEN_ALERT_MAIL_FROM) == (True, "me@mail.example")


def test_a_mail_server_that_cannot_be_read_leaves_no_traceback(read_settings: ReadSettings) -> None:
    found = read_settings(EMAIL_URL="mail.example:25")
    assert (found.EMAIL_HOST, found.OVEN_ALERT_MAIL_FROM) == ("", "oven@localhost")


def test_the_addresses_of_alerts_are_masked_in_logs(tmp_path: Path) -> None:
    code = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'oven_site.settings'; import django; django.setup(); "
        "import logging; [logging.getLogger('oven_site').warning(os.environ[name] + '/fail') for name in "
        "('OVEN_PING_URL', 'OVEN_PING_BACKUP_URL', 'OVEN_ALERT_WEBHOOK')]"
    )
    names = ("OVEN_PING_URL", "OVEN_PING_BACKUP_URL", "OVEN_ALERT_WEBHOOK")
    given = {name: f"https://hidden.example/{name}" for name in names}
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPYCACHEPREFIX") if name in os.environ}
    env = {**kept, "OVEN_DATA": str(tmp_path), "OVEN_NO_DOTENV": "1", **given}
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert run.stderr.count("***") == 3
    assert "hidden" not in run.stderr


# --- the version ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("# Changes\n\n## 1.2.3 - 2026-11-22\n\n## 1.2.2 - 2026-01-01\n", "1.2.3"),
        ("## v0.10.0\n", "0.10.0"),
        ("# Changes\n\nNothing yet: 1.0.0 comes later.\n", "0"),
        ("", "0"),
    ],
)
def test_the_version_is_the_newest_heading_of_the_change_log(text: str, version: str) -> None:
    assert read_version(text) == version


def test_the_version_shown_is_that_of_the_change_log() -> None:
    assert read_version(CHANGELOG.read_text()) == settings.VERSION != "0"
