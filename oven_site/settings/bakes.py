"""Bakes, and the callbacks to the site."""

from __future__ import annotations

from oven.environment import origin, seconds, webhook_key
from oven_site.settings.environment import ORIGINS, SECONDS, env

OVEN_CALLBACK_SECRET = env.str("OVEN_CALLBACK_SECRET", default="", secret=True)  # none: nobody may bake
OVEN_WEBHOOK_KEYS = env.list(  # whsec_..., newest first
    "OVEN_WEBHOOK_KEYS", default=[], each=webhook_key, valid="keys (whsec_ and base64)", secret=True
)
OVEN_TAPE_ORIGINS = env.list(
    "OVEN_TAPE_ORIGINS", default=["https://*.digitaloceanspaces.com"], each=origin, valid=ORIGINS
)
OVEN_CALLBACK_ORIGINS = env.list(  # the piece site always
    "OVEN_CALLBACK_ORIGINS", default=[], each=origin, valid=ORIGINS
)
OVEN_DEMO_ORIGIN = env.url("OVEN_DEMO_ORIGIN", default="http://127.0.0.1:3999")  # where `manage.py demo` has tapes
OVEN_TAPE_MAX_MB = env.int("OVEN_TAPE_MAX_MB", default=256, least=1)
OVEN_TAPE_MAX_S = env.float("OVEN_TAPE_MAX_S", default=120.0, above=0)
OVEN_TAPE_DOWNLOAD_S = env.float("OVEN_TAPE_DOWNLOAD_S", default=120.0, above=0)
OVEN_CALLBACK_WAIT_S = env.float("OVEN_CALLBACK_WAIT_S", default=30.0, above=0)  # for one answer
OVEN_CALLBACK_DELAYS_S = env.list(
    "OVEN_CALLBACK_DELAYS_S",
    default=[5.0, 30.0, 120.0, 600.0, 3600.0, 21600.0, 86400.0],
    each=seconds,
    valid=SECONDS,
)
