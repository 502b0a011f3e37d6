"""Nothing that was handed out stands in the logs: every Stack looks for it when it stops; here, what is thrown at it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.e2e.stack import Stack

GUESS = "AAAAAAAAAAAAAAAAAAAAAAguess"


def test_what_callers_send_as_secrets_is_not_logged(oven: Stack) -> None:
    link = oven.manage("signin", "--user", "secretive").strip().splitlines()[-1]
    assert [httpx.get(link).status_code for _ in range(2)] == [302, 403]  # the second time it is used up
    assert oven.get(f"/sign-in?sesame={GUESS}").status_code == 403
    assert oven.get(f"/grab/png/64/64/orbit?density=99&sig={GUESS}&token={GUESS}").status_code == 400
    wrong = {"Authorization": f"Bearer oven_{GUESS}"}
    assert oven.http.post("/grab-clear", headers=wrong).status_code == 401
    body = {"mongoId": "1", "slug": "s", "code": "c", "zipUrl": "z", "callbackUrl": "c", "callbackSecret": GUESS}
    assert oven.http.post("/bake", json=body).status_code == 401
    oven.until(lambda: oven.log.count("/sign-in") >= 2)  # that it was asked for is known
    assert GUESS not in oven.log
    oven.check_log()


def test_the_look_for_secrets_finds_one(tmp_path: Path) -> None:
    oven = Stack(tmp_path / "data", OVEN_CALLBACK_SECRET="a-shared-secret")
    (tmp_path / "data.log").write_text("all is well\n")
    oven.stop()
    (tmp_path / "data.log").write_text("all is well, a-shared-secret is right\n")
    with pytest.raises(AssertionError, match="secrets in the log"):
        oven.stop()
