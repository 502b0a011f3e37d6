"""What all settings are read with, and where the data lie."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from oven.environment import Environment, SettingsError

BASE_DIR = Path(__file__).resolve().parents[2]
env = Environment()
if (BASE_DIR / ".env").exists() and not os.environ.get("OVEN_NO_DOTENV"):  # scratch instances have their own
    env.read_env(str(BASE_DIR / ".env"))

OVEN_DATA = Path(env.str("OVEN_DATA", default=str(BASE_DIR / "var"))).resolve()
try:
    OVEN_DATA.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not os.access(OVEN_DATA, os.W_OK):
        raise PermissionError(errno.EACCES, "nobody may write there")
except OSError as error:
    problem = f"OVEN_DATA={str(OVEN_DATA)!r} is not valid: it must be a directory for all data ({error.strerror})."
    raise SettingsError(problem) from None

ORIGINS = "origins such as https://site.example, with http:// or https:// and without a path"
NETWORKS = "addresses or networks such as 10.0.0.0/8"
RATE = "a rate such as 600/10m (s, m, h, d) or 600/10m burst 60, or off"
SECONDS = "numbers of seconds from 0 on"
