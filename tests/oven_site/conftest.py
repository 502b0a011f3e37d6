"""Reading the settings again, with another environment."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from environ import FileAwareEnv
from environ.fileaware_mapping import FileAwareMapping

import oven_site

PACKAGE = "oven_site.settings"
ReadSettings = Callable[..., SimpleNamespace]


@pytest.fixture
def read_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReadSettings:
    """Import the settings with an environment of its own: `read_settings(DEBUG="1").DEBUG`. This process keeps its own."""

    def read(**given: str) -> SimpleNamespace:
        environ = {"OVEN_DATA": str(tmp_path), "OVEN_NO_DOTENV": "1", **given}
        kept = {name: sys.modules.pop(name) for name in list(sys.modules) if f"{name}.".startswith(f"{PACKAGE}.")}
        try:
            with monkeypatch.context() as patch:
                patch.setattr(os, "environ", environ)
                patch.setattr(FileAwareEnv, "ENVIRON", FileAwareMapping(environ))
                return SimpleNamespace(**vars(importlib.import_module(PACKAGE)))
        finally:
            for name in [name for name in sys.modules if f"{name}.".startswith(f"{PACKAGE}.")]:
                del sys.modules[name]
            sys.modules.update(kept)
            oven_site.settings = kept[PACKAGE]  # type: ignore[attr-defined]

    return read
