"""The database."""

from __future__ import annotations

from oven_site.settings.environment import OVEN_DATA, env

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{OVEN_DATA / 'oven.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8000;",
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
