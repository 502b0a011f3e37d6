"""A browser that cannot be started is known as broken, and tried again without a capture."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from captures.engine import engine
from captures.engine.chromium import BrowserOptions, find_any_browser
from captures.engine.errors import CaptureError
from captures.engine.host import EngineHost
from tests.support import until


def test_a_browser_that_cannot_be_started_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "START_AGAIN_S", 0.2)
    program = tmp_path / "headless"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    with EngineHost(BrowserOptions(executable=str(program), profiles=str(tmp_path / "profiles"))) as host:
        assert not host.facts().broken
        with pytest.raises(CaptureError, match="did not start"):
            host.warm_up()
        assert host.facts().broken
        (tmp_path / "good").write_text(f'#!/bin/sh\nexec {find_any_browser()} "$@"\n')
        (tmp_path / "good").chmod(0o755)
        os.replace(tmp_path / "good", program)
        until(lambda: not host.facts().broken, 20, every_s=0.1)
        assert host.facts().pid is not None
