"""Reading the settings anew."""

from __future__ import annotations

import os
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from environ import FileAwareEnv
from environ.fileaware_mapping import FileAwareMapping

SETTINGS = Path(settings.BASE_DIR) / "oven_site" / "settings.py"
ReadSettings = Callable[..., SimpleNamespace]


@pytest.fixture
def read_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReadSettings:
    """Run settings.py in this process with an environment of its own: `read_settings(DEBUG="1").DEBUG`."""

    def read(**given: str) -> SimpleNamespace:
        environ = {"OVEN_DATA": str(tmp_path), "OVEN_NO_DOTENV": "1", **given}
        with monkeypatch.context() as patch:
            patch.setattr(os, "environ", environ)
            patch.setattr(FileAwareEnv, "ENVIRON", FileAwareMapping(environ))
            return SimpleNamespace(**runpy.run_path(str(SETTINGS)))

    return read
