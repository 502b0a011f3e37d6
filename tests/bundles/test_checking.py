"""What is said of a page when its browser went away: nothing."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from bundles import smoke_test
from captures.engine.chromium import BrowserOptions
from captures.engine.errors import CaptureError, ErrorCode


@pytest.fixture
def page_that_ends_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Opens a page whose capture ends with an error of this code."""

    class Host:
        def __init__(self, options: BrowserOptions) -> None: ...
        def __enter__(self) -> Host:
            return self

        def __exit__(self, *_: object) -> None: ...
        def capture(self, *_: object) -> Future[Any]:
            return Future()

    def check(code: ErrorCode) -> smoke_test.Checked:
        def wait(future: Future[Any]) -> Any:
            raise CaptureError(code, "Gone.")

        return smoke_test.check_page(tmp_path / "page.html", BrowserOptions(), "true", wait)

    monkeypatch.setattr(smoke_test, "EngineHost", Host)
    return check


@pytest.mark.parametrize("code", [ErrorCode.BROWSER_LOST, ErrorCode.CRASHED, ErrorCode.NO_BROWSER])
def test_a_browser_that_went_away_is_no_fault_of_the_page(page_that_ends_with: Any, code: ErrorCode) -> None:
    """Else one killed browser would put the runtime out of service until its files change."""
    with pytest.raises(CaptureError):
        page_that_ends_with(code)


@pytest.mark.parametrize("code", [ErrorCode.HUNG, ErrorCode.BLANK, ErrorCode.MEMORY])
def test_a_page_that_hangs_or_stays_empty_is_at_fault(page_that_ends_with: Any, code: ErrorCode) -> None:
    assert page_that_ends_with(code).problems == ("It shows nothing: Gone.",)
