"""Settings, from the environment. `.env.example` lists every name; `NAME_FILE` reads a secret from a file.

Each module has the settings of one subject. All of them read the same `env`, so that one start names every setting
that is wrong.
"""

from __future__ import annotations

# ruff: noqa: F403 - a module of settings consists of nothing else
from oven.logs import logging_config
from oven_site.settings.accounts import *
from oven_site.settings.accounts import OVEN_URL_KEYS
from oven_site.settings.bakes import *
from oven_site.settings.base import *
from oven_site.settings.base import SECRET_KEY
from oven_site.settings.bundles import *
from oven_site.settings.captures import *
from oven_site.settings.database import *
from oven_site.settings.environment import *
from oven_site.settings.environment import env
from oven_site.settings.ops import *
from oven_site.settings.ops import OVEN_LOG_FORMAT, OVEN_LOG_LEVEL
from oven_site.settings.pins import *
from oven_site.settings.queue import *
from oven_site.settings.storage import *

LOGGING = logging_config(OVEN_LOG_FORMAT, OVEN_LOG_LEVEL, [SECRET_KEY, *OVEN_URL_KEYS, *env.secrets])
UNKNOWN_SETTINGS = env.unknown()
env.finish()
