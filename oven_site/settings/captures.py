"""Pieces, captures, the network they may use, and cards."""

from __future__ import annotations

from oven_site.settings.environment import env

OVEN_PIECE_ORIGIN = env.url("OVEN_PIECE_ORIGIN", default="http://127.0.0.1:3003").rstrip("/")
OVEN_PIECE_URL = env.template(
    "OVEN_PIECE_URL",
    default="{origin}/{piece}?density={density}&tv=true&nolabel=true&nogap=true&spoofaudio=true",
    fields=("origin", "piece", "density"),
    needed="piece",
)
OVEN_READY_EXPRESSION = env.str("OVEN_READY_EXPRESSION", default="window.acPieceReady === true")
OVEN_READY_LIMIT_MS = env.int("OVEN_READY_LIMIT_MS", default=10_000, least=0)
OVEN_SETTLE_MS = env.int("OVEN_SETTLE_MS", default=200, least=0)
OVEN_SETTLE_STILL_MS = env.constant("OVEN_SETTLE_STILL_MS", 500)
OVEN_TICK_HZ = env.float("OVEN_TICK_HZ", default=60.0, above=0, most=1000)
OVEN_BLOCKED_URLS = env.list(
    "OVEN_BLOCKED_URLS",
    default=["*google-analytics.com*", "*googletagmanager.com*", "*oven.aesthetic.computer*"],
)
OVEN_CHROMIUM = env.str("OVEN_CHROMIUM", default="")
OVEN_CHROMIUM_SANDBOX = env.str(  # auto: unless root
    "OVEN_CHROMIUM_SANDBOX", default="auto", choices=("auto", "on", "off")
)
OVEN_RECYCLE_GRABS = env.int("OVEN_RECYCLE_GRABS", default=200, least=1)
OVEN_RECYCLE_AGE_S = env.constant("OVEN_RECYCLE_AGE_S", 3600.0)
OVEN_RECYCLE_MEMORY_MB = env.int("OVEN_RECYCLE_MEMORY_MB", default=700, least=1)
OVEN_PAGE_MEMORY_MB = env.int("OVEN_PAGE_MEMORY_MB", default=1024, least=64)
OVEN_PAGE_MAX_PROCESSES = env.int("OVEN_PAGE_MAX_PROCESSES", default=24, least=1)
OVEN_CAPTURE_LIMIT_S = env.float("OVEN_CAPTURE_LIMIT_S", default=60.0, above=0)  # the next one's name before 0.6
OVEN_CAPTURE_TIMEOUT_S = env.float("OVEN_CAPTURE_TIMEOUT_S", default=OVEN_CAPTURE_LIMIT_S, above=0)
OVEN_STEP_LIMIT_S = env.float("OVEN_STEP_LIMIT_S", default=8.0, above=0)
OVEN_NETWORK_WAIT_S = env.float("OVEN_NETWORK_WAIT_S", default=15.0, least=0)
OVEN_FETCH_WAIT_S = env.float("OVEN_FETCH_WAIT_S", default=3.0, least=0)
OVEN_WAIT_S = env.float("OVEN_WAIT_S", default=90.0, above=0)  # a request waits this long for its grab
OVEN_LOOKUP_THREADS = env.int("OVEN_LOOKUP_THREADS", default=2, least=0)  # that look up cached pictures
OVEN_QUEUE_CEILING = env.int("OVEN_QUEUE_CEILING", default=500, least=1)
OVEN_GRAB_DAYS = env.float("OVEN_GRAB_DAYS", default=30.0, above=0)  # a capture answers repeats for so long
OVEN_ICON_DAYS = env.float(  # the same for icons, previews and store screenshots
    "OVEN_ICON_DAYS", default=7.0, above=0
)
OVEN_RENDER_VERSION = env.str("OVEN_RENDER_VERSION", default="v1")

OVEN_PAGE_MAX_REQUESTS = env.int("OVEN_PAGE_MAX_REQUESTS", default=3000, least=1)
OVEN_PAGE_MAX_MB = env.int("OVEN_PAGE_MAX_MB", default=256, least=1)

# --- Cards ---
OVEN_CARD_LIST_URL = env.template(
    "OVEN_CARD_LIST_URL",
    default="{origin}/api/tv?types=kidlisp&sort=hits&limit={limit}",
    fields=("origin", "limit"),
)
OVEN_CARD_EVERY_S = env.float("OVEN_CARD_EVERY_S", default=21_600.0, least=0)  # 0: only when asked for
OVEN_CARD_WAIT_S = env.float("OVEN_CARD_WAIT_S", default=120.0, above=0)  # a card waits this long for its captures
OVEN_CARD_DAYS = env.float("OVEN_CARD_DAYS", default=30.0, above=0)  # a card that is not the newest is kept so long
OVEN_BACKDROP_HANDLE = env.str("OVEN_BACKDROP_HANDLE", default="@jeffrey")  # whose pieces; empty: anybody's
