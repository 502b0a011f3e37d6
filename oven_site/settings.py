"""Settings, from the environment. `.env.example` lists every name; `NAME_FILE` reads a secret from a file."""

from __future__ import annotations

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key
from environ import FileAwareEnv

from oven_site.access.rates import rate
from oven_site.access.signatures import keys, limits
from oven_site.version import VERSION

BASE_DIR = Path(__file__).resolve().parent.parent
env = FileAwareEnv()
if (BASE_DIR / ".env").exists() and not os.environ.get("OVEN_NO_DOTENV"):  # scratch instances have their own
    env.read_env(str(BASE_DIR / ".env"))

OVEN_DATA = Path(env.str("OVEN_DATA", default=str(BASE_DIR / "var"))).resolve()
OVEN_DATA.mkdir(parents=True, exist_ok=True, mode=0o700)


def _kept_secret(path: Path) -> str:
    """A secret made at first start and kept with the data."""
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(get_random_secret_key())
    return path.read_text().strip()


# --- Django ---------------------------------------------------------------------------------------------------------
VERSION = VERSION  # noqa: PLW0127 - shown by /status and the admin
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or _kept_secret(OVEN_DATA / "secret_key")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
ROOT_URLCONF = "oven_site.urls"
ASGI_APPLICATION = "oven_site.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
APPEND_SLASH = False  # the contract tolerates a trailing slash by itself
DATA_UPLOAD_MAX_MEMORY_SIZE = 100 * 1024

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin.apps.SimpleAdminConfig",  # urls.py discovers: workers have no use for admin pages
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_rq",
    "channels",
    "ninja",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.mfa",
    "oven_site.jobs",
    "oven_site.live",
    "oven_site.artifacts",
    "oven_site.access",
    "oven_site.egress",
    "oven_site.health",
    "oven_site.retention",
    "oven_site.backup",
    "oven_site.dashboard",
    "oven_site.identity",
    "captures",
    "bakes",
    "bundles",
]
MIDDLEWARE = [
    "oven_site.health.middleware.RequestMiddleware",
    "oven_site.contract.ContractMiddleware",
    "oven_site.dashboard.security.PolicyMiddleware",
    "oven_site.access.middleware.AccessMiddleware",
    "oven_site.direct.DirectMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",  # one variable; callers of the contract go around it
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["oven_site.dashboard.security.FileLoader", "oven_site.dashboard.security.AppLoader"],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
STATIC_URL = "static/"
STATIC_ROOT = OVEN_DATA / "static"
STATIC_ROOT.mkdir(exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # no collectstatic needed to run
WHITENOISE_AUTOREFRESH = False

# --- Database -------------------------------------------------------------------------------------------------------
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{OVEN_DATA / 'oven.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8000;",
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

# --- Queue and live events ------------------------------------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL", default=f"unix://{OVEN_DATA / 'run' / 'valkey.sock'}?db=0")
LANES = ("keep", "now", "batch")
POOLS = ("capture", "bake", "deliver", "bundle")
LIGHT_QUEUE = "light"
RQ_QUEUES = {
    name: {"URL": REDIS_URL, "DEFAULT_TIMEOUT": 180, "SERIALIZER": "rq.serializers.JSONSerializer"}
    for name in [*(f"{pool}.{lane}" for pool in POOLS for lane in LANES), LIGHT_QUEUE]
}
RQ = {"WORKER_CLASS": "oven_site.jobs.worker.ForkWorker", "COMMIT_MODE": "auto"}
RQ_SHOW_ADMIN_LINK = True
CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
}


# --- Storage --------------------------------------------------------------------------------------------------------
OVEN_PUBLIC_URL = env.str("OVEN_PUBLIC_URL", default="")  # of the web process, for absolute links
if OVEN_PUBLIC_URL.startswith("https://"):  # its own forms, also behind a proxy that is not named as trusted
    CSRF_TRUSTED_ORIGINS += ["/".join(OVEN_PUBLIC_URL.split("/")[:3])]
OVEN_ART_BASE_URL = env.str("OVEN_ART_BASE_URL", default="")  # a CDN in front of the store
OVEN_BLOBS_BASE_URL = env.str("OVEN_BLOBS_BASE_URL", default="")


# Keys in `art` never change their content, but for cards; a tape that is baked again keeps its key.
STORE_CACHE_CONTROL = {"art": "public, max-age=604800", "blobs": "public, max-age=60"}
CARD_KEYS, CARD_CACHE_CONTROL = ("og/", "backdrop/"), "public, max-age=86400"


def _store(name: str) -> dict[str, object]:
    """A named store: S3-compatible when its bucket is set, files under the data directory otherwise."""
    prefix = name.upper()
    bucket = env.str(f"{prefix}_S3_BUCKET", default="")
    if not bucket:
        options: dict[str, object] = {"location": str(OVEN_DATA / "files" / name), "allow_overwrite": True}
        return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": bucket,
            "endpoint_url": env.str(f"{prefix}_S3_ENDPOINT", default=None),
            "region_name": env.str(f"{prefix}_S3_REGION", default=None),
            "access_key": env.str(f"{prefix}_S3_KEY", default=None),
            "secret_key": env.str(f"{prefix}_S3_SECRET", default=None),
            "default_acl": env.str(f"{prefix}_S3_ACL", default="public-read") or None,
            "addressing_style": env.str(f"{prefix}_S3_ADDRESSING", default="auto"),
            "querystring_auth": False,
            "file_overwrite": True,
            "object_parameters": {"CacheControl": STORE_CACHE_CONTROL[name]},
        },
    }


STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(OVEN_DATA / "files")},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "art": _store("art"),
    "blobs": _store("blobs"),
}

# --- Sign-in --------------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "sesame.backends.ModelBackend"]
SESAME_ONE_TIME = True
SESAME_MAX_AGE = 3600
LOGIN_URL = "/admin/login/"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = OVEN_PUBLIC_URL.startswith("https://")
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SESSION_ENGINE = "oven_site.access.sessions"
OVEN_SESSION_IDLE_S = env.float("OVEN_SESSION_IDLE_S", default=86_400.0)  # unused for so long: signed out
OVEN_SESSION_MAX_S = env.float("OVEN_SESSION_MAX_S", default=1_209_600.0)  # in use or not
SESSION_COOKIE_AGE = round(OVEN_SESSION_MAX_S)
OVEN_TOKEN_GRACE_S = env.float("OVEN_TOKEN_GRACE_S", default=86_400.0)  # a rotated token's old secret still works
OVEN_PUBLIC_LIVE = env.bool("OVEN_PUBLIC_LIVE", default=False)  # anybody may watch the live page, and only watch
OVEN_OPEN_WRITES = env.bool("OVEN_OPEN_WRITES", default=False)
OVEN_OPEN_WRITES_CONFIRMED = env.bool("OVEN_OPEN_WRITES_CONFIRMED", default=False)

# --- Sign-in by an identity provider, and by passkeys ---------------------------------------------------------------
OVEN_OIDC_ISSUER = env.str("OVEN_OIDC_ISSUER", default="")  # none: nobody signs in by OpenID Connect
OVEN_OIDC_CLIENT_ID = env.str("OVEN_OIDC_CLIENT_ID", default="")
OVEN_OIDC_CLIENT_SECRET = env.str("OVEN_OIDC_CLIENT_SECRET", default="")
OVEN_OIDC_NAME = env.str("OVEN_OIDC_NAME", default="single sign-on")
OVEN_OIDC_GROUPS_CLAIM = env.str("OVEN_OIDC_GROUPS_CLAIM", default="groups")
OVEN_OIDC_ROLES = env.str("OVEN_OIDC_ROLES", default="")  # group=role,group=role; or a JSON object
OVEN_PASSKEYS = env.bool("OVEN_PASSKEYS", default=False)
# The library that does it has no pages and no e-mails here, and nobody signs up: see oven_site/identity.
ACCOUNT_ADAPTER = "oven_site.identity.adapters.Accounts"
SOCIALACCOUNT_ADAPTER = "oven_site.identity.adapters.Identities"
MFA_ADAPTER = "oven_site.identity.adapters.Passkeys"
ACCOUNT_SIGNUP_FIELDS = ["username*"]
ACCOUNT_EMAIL_VERIFICATION = SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False  # our own throttles count
SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_STORE_TOKENS = False
MFA_SUPPORTED_TYPES = ["webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True

# --- Throttles ------------------------------------------------------------------------------------------------------
# Networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
OVEN_TRUSTED_PROXIES = env.list("OVEN_TRUSTED_PROXIES", default=[])
OVEN_THROTTLE_CAPTURES = rate(env.str("OVEN_THROTTLE_CAPTURES", default="600/10m"))
OVEN_THROTTLE_BUNDLES = rate(env.str("OVEN_THROTTLE_BUNDLES", default="120/10m"))
OVEN_THROTTLE_WRITES = rate(env.str("OVEN_THROTTLE_WRITES", default="600/m"))
OVEN_THROTTLE_TOKEN_CAPTURES = rate(env.str("OVEN_THROTTLE_TOKEN_CAPTURES", default="6000/10m"))
OVEN_THROTTLE_TOKEN_BUNDLES = rate(env.str("OVEN_THROTTLE_TOKEN_BUNDLES", default="1200/10m"))
OVEN_THROTTLE_TOKEN_WRITES = rate(env.str("OVEN_THROTTLE_TOKEN_WRITES", default="1200/m"))
OVEN_THROTTLE_SIGN_INS = rate(env.str("OVEN_THROTTLE_SIGN_INS", default="10/10m"))  # of one client
OVEN_THROTTLE_SIGN_IN_NAMES = rate(env.str("OVEN_THROTTLE_SIGN_IN_NAMES", default="50/h"))  # of one account

# --- Signed addresses -----------------------------------------------------------------------------------------------
OVEN_URL_KEYS = keys(env.list("OVEN_URL_KEYS", default=[]))  # the first one signs; none: nothing needs a signature
# What an address may ask for that nobody has signed, once there are keys.
OVEN_UNSIGNED_LIMITS = limits(
    env.list("OVEN_UNSIGNED_LIMITS", default=["duration=12000", "fps=15", "density=2", "width=640", "height=640"])
)

# --- Pieces and captures --------------------------------------------------------------------------------------------
OVEN_PIECE_ORIGIN = env.str("OVEN_PIECE_ORIGIN", default="http://127.0.0.1:3003").rstrip("/")
OVEN_PIECE_URL = env.str(
    "OVEN_PIECE_URL",
    default="{origin}/{piece}?density={density}&tv=true&nolabel=true&nogap=true&spoofaudio=true",
)
OVEN_READY_EXPRESSION = env.str("OVEN_READY_EXPRESSION", default="window.acPieceReady === true")
OVEN_READY_LIMIT_MS = env.int("OVEN_READY_LIMIT_MS", default=10_000)
OVEN_SETTLE_MS = env.int("OVEN_SETTLE_MS", default=200)
OVEN_SETTLE_STILL_MS = env.int("OVEN_SETTLE_STILL_MS", default=500)
OVEN_TICK_HZ = env.float("OVEN_TICK_HZ", default=60.0)
OVEN_BLOCKED_URLS = env.list(
    "OVEN_BLOCKED_URLS",
    default=["*google-analytics.com*", "*googletagmanager.com*", "*oven.aesthetic.computer*"],
)
OVEN_CHROMIUM = env.str("OVEN_CHROMIUM", default="")
OVEN_CHROMIUM_SANDBOX = env.str("OVEN_CHROMIUM_SANDBOX", default="auto")  # auto: on unless root
if OVEN_CHROMIUM_SANDBOX not in ("auto", "on", "off"):
    raise ImproperlyConfigured("OVEN_CHROMIUM_SANDBOX is auto, on or off.")
OVEN_RECYCLE_GRABS = env.int("OVEN_RECYCLE_GRABS", default=200)
OVEN_RECYCLE_AGE_S = env.float("OVEN_RECYCLE_AGE_S", default=3600.0)
OVEN_RECYCLE_MEMORY_MB = env.int("OVEN_RECYCLE_MEMORY_MB", default=700)
OVEN_PAGE_MEMORY_MB = env.int("OVEN_PAGE_MEMORY_MB", default=1024)
OVEN_PAGE_MAX_PROCESSES = env.int("OVEN_PAGE_MAX_PROCESSES", default=24)
OVEN_CAPTURE_LIMIT_S = env.float("OVEN_CAPTURE_LIMIT_S", default=60.0)  # the next one's name before 0.6
OVEN_CAPTURE_TIMEOUT_S = env.float("OVEN_CAPTURE_TIMEOUT_S", default=OVEN_CAPTURE_LIMIT_S)
OVEN_STEP_LIMIT_S = env.float("OVEN_STEP_LIMIT_S", default=8.0)
OVEN_NETWORK_WAIT_S = env.float("OVEN_NETWORK_WAIT_S", default=15.0)
OVEN_FETCH_WAIT_S = env.float("OVEN_FETCH_WAIT_S", default=3.0)
OVEN_WAIT_S = env.float("OVEN_WAIT_S", default=90.0)  # a request waits this long for its grab
OVEN_QUEUE_CEILING = env.int("OVEN_QUEUE_CEILING", default=500)
OVEN_GRAB_DAYS = env.float("OVEN_GRAB_DAYS", default=30.0)  # a capture answers repeats for so long
OVEN_ICON_DAYS = env.float("OVEN_ICON_DAYS", default=7.0)  # the same for icons, previews and store screenshots
OVEN_RENDER_VERSION = env.str("OVEN_RENDER_VERSION", default="v1")

# --- The door out ---------------------------------------------------------------------------------------------------
OVEN_PAGE_MAX_REQUESTS = env.int("OVEN_PAGE_MAX_REQUESTS", default=3000)
OVEN_PAGE_MAX_MB = env.int("OVEN_PAGE_MAX_MB", default=256)

# --- Cards ----------------------------------------------------------------------------------------------------------
OVEN_CARD_LIST_URL = env.str("OVEN_CARD_LIST_URL", default="{origin}/api/tv?types=kidlisp&sort=hits&limit={limit}")
OVEN_CARD_EVERY_S = env.float("OVEN_CARD_EVERY_S", default=21_600.0)  # 0: only when asked for
OVEN_CARD_WAIT_S = env.float("OVEN_CARD_WAIT_S", default=120.0)  # a card waits this long for its captures
OVEN_CARD_DAYS = env.float("OVEN_CARD_DAYS", default=30.0)  # a card that is not the newest is kept so long
OVEN_BACKDROP_HANDLE = env.str("OVEN_BACKDROP_HANDLE", default="@jeffrey")  # whose pieces; empty: anybody's

# --- Bakes ----------------------------------------------------------------------------------------------------------
OVEN_CALLBACK_SECRET = env.str("OVEN_CALLBACK_SECRET", default="")  # none: nobody may bake
OVEN_WEBHOOK_KEYS = env.list("OVEN_WEBHOOK_KEYS", default=[])  # whsec_..., newest first
OVEN_TAPE_ORIGINS = env.list("OVEN_TAPE_ORIGINS", default=["https://*.digitaloceanspaces.com"])
OVEN_CALLBACK_ORIGINS = env.list("OVEN_CALLBACK_ORIGINS", default=[])  # the piece site always
OVEN_DEMO_ORIGIN = env.str("OVEN_DEMO_ORIGIN", default="http://127.0.0.1:3999")  # where `manage.py demo` has tapes
OVEN_TAPE_MAX_MB = env.int("OVEN_TAPE_MAX_MB", default=256)
OVEN_TAPE_MAX_S = env.float("OVEN_TAPE_MAX_S", default=120.0)
OVEN_TAPE_DOWNLOAD_S = env.float("OVEN_TAPE_DOWNLOAD_S", default=120.0)
OVEN_CALLBACK_WAIT_S = env.float("OVEN_CALLBACK_WAIT_S", default=30.0)  # for one answer
OVEN_CALLBACK_DELAYS_S = [
    float(text)
    for text in env.list("OVEN_CALLBACK_DELAYS_S", default=["5", "30", "120", "600", "3600", "21600", "86400"])
]

# --- Bundles --------------------------------------------------------------------------------------------------------
OVEN_BUNDLE_SOURCE = str(BASE_DIR / env.str("OVEN_BUNDLE_SOURCE", default="pieces"))
OVEN_BUNDLE_SEEDS = env.list("OVEN_BUNDLE_SEEDS", default=["runtime/main.mjs", "runtime/kidlisp-piece.mjs"])
OVEN_BUNDLE_BOOT = env.str("OVEN_BUNDLE_BOOT", default="runtime/main.mjs")
OVEN_BUNDLE_PROGRAM_MODULE = env.str("OVEN_BUNDLE_PROGRAM_MODULE", default="runtime/kidlisp-piece.mjs")
OVEN_BUNDLE_PIECES = env.str("OVEN_BUNDLE_PIECES", default="pieces/")
OVEN_BUNDLE_INCLUDE = env.list("OVEN_BUNDLE_INCLUDE", default=[])
OVEN_BUNDLE_PREFIX = env.str("OVEN_BUNDLE_PREFIX", default="ac")
OVEN_BUNDLE_PROBE = env.str("OVEN_BUNDLE_PROBE", default="orbit")
OVEN_BUNDLE_ORIGIN = env.str("OVEN_BUNDLE_ORIGIN", default="")
OVEN_BUNDLE_CACHE_S = env.float("OVEN_BUNDLE_CACHE_S", default=3600.0)
OVEN_BUNDLE_WAIT_S = env.float("OVEN_BUNDLE_WAIT_S", default=120.0)
OVEN_BUNDLE_CORES = env.int("OVEN_BUNDLE_CORES", default=8)
OVEN_VERSION = env.str("OVEN_VERSION", default="")
OVEN_NODE = env.str("OVEN_NODE", default="")

# --- IPFS -----------------------------------------------------------------------------------------------------------
OVEN_PINNING = env.str("OVEN_PINNING", default="local")  # local, pinata or kubo
OVEN_PINATA_URL = env.str("OVEN_PINATA_URL", default="https://api.pinata.cloud")
OVEN_PINATA_JWT = env.str("OVEN_PINATA_JWT", default="")
OVEN_PINATA_KEY = env.str("OVEN_PINATA_KEY", default="")
OVEN_PINATA_SECRET = env.str("OVEN_PINATA_SECRET", default="")
OVEN_KUBO_URL = env.str("OVEN_KUBO_URL", default="")
OVEN_KUBO_TOKEN = env.str("OVEN_KUBO_TOKEN", default="")
OVEN_IPFS_GATEWAY = env.str("OVEN_IPFS_GATEWAY", default="https://ipfs.aesthetic.computer/ipfs/")
OVEN_CID_VERSION = env.int("OVEN_CID_VERSION", default=1)
OVEN_PIN_LIMIT_S = env.float("OVEN_PIN_LIMIT_S", default=60.0)  # for one try
OVEN_PIN_WAIT_S = env.float("OVEN_PIN_WAIT_S", default=40.0)  # a request waits this long for its pin
OVEN_PIN_DELAYS_S = [float(text) for text in env.list("OVEN_PIN_DELAYS_S", default=["2", "10", "60", "300", "1800"])]

# --- Jobs -----------------------------------------------------------------------------------------------------------
OVEN_MAX_ATTEMPTS = env.int("OVEN_MAX_ATTEMPTS", default=3)
OVEN_HEARTBEAT_S = env.float("OVEN_HEARTBEAT_S", default=2.0)
OVEN_STALE_S = env.float("OVEN_STALE_S", default=15.0)  # a heartbeat older than this: the worker is gone
OVEN_SWEEP_S = env.float("OVEN_SWEEP_S", default=2.0)
OVEN_PERIODIC_INTERVAL_S = env.float("OVEN_PERIODIC_INTERVAL_S", default=10.0)  # between looks at the bundle tree
OVEN_AGE_LANE_S = env.float("OVEN_AGE_LANE_S", default=120.0)  # waited so long: one lane up
OVEN_UNDO_S = env.float("OVEN_UNDO_S", default=10.0)  # a bulk action can be undone for so long
OVEN_BULK_LIMIT = env.int("OVEN_BULK_LIMIT", default=20_000)  # jobs of one bulk action
OVEN_RETRY_BASE_S = env.float("OVEN_RETRY_BASE_S", default=2.0)

# --- Health ---------------------------------------------------------------------------------------------------------
OVEN_WEB_HEALTH_INTERVAL_S = env.float("OVEN_WEB_HEALTH_INTERVAL_S", default=5.0)  # read by the supervisor; 0: never
OVEN_HEALTH_INTERVAL_S = env.float("OVEN_HEALTH_INTERVAL_S", default=3.0)
OVEN_ALERT_QUEUE = env.int("OVEN_ALERT_QUEUE", default=100)
OVEN_ALERT_RUNNING_S = env.float("OVEN_ALERT_RUNNING_S", default=30.0)
OVEN_ALERT_MEMORY_PERCENT = env.float("OVEN_ALERT_MEMORY_PERCENT", default=80.0)
OVEN_ALERT_DISK_PERCENT = env.float("OVEN_ALERT_DISK_PERCENT", default=90.0)
OVEN_ALERT_FAILURES_PERCENT = env.float("OVEN_ALERT_FAILURES_PERCENT", default=5.0)
OVEN_ALERT_FAILURES_LEAST = env.int("OVEN_ALERT_FAILURES_LEAST", default=20)
OVEN_ALERT_CALLBACK_DAYS = env.float("OVEN_ALERT_CALLBACK_DAYS", default=7.0)
OVEN_READY_POOLS = env.list("OVEN_READY_POOLS", default=list(POOLS))
OVEN_SAMPLE_DAYS = env.float("OVEN_SAMPLE_DAYS", default=14.0)

# --- Logs -----------------------------------------------------------------------------------------------------------
OVEN_LOG_FORMAT = env.str("OVEN_LOG_FORMAT", default="")  # json, console; none: what fits where they go
OVEN_LOG_LEVEL = env.str("OVEN_LOG_LEVEL", default="INFO").upper()
OVEN_REQUEST_ID_FROM = env.list("OVEN_REQUEST_ID_FROM", default=["127.0.0.1/32", "::1/128"])
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True  # our own middleware has looked at it

# --- Admin ----------------------------------------------------------------------------------------------------------
from oven_site.dashboard.theme import UNFOLD  # noqa: E402, F401
from oven_site.logs import logging_config  # noqa: E402

_SECRETS = [SECRET_KEY, OVEN_CALLBACK_SECRET, *OVEN_WEBHOOK_KEYS, *OVEN_URL_KEYS]
_SECRETS += [OVEN_OIDC_CLIENT_SECRET, OVEN_PINATA_JWT, OVEN_PINATA_SECRET, OVEN_KUBO_TOKEN]
_SECRETS += [env.str(f"{store}_S3_SECRET", default="") for store in ("ART", "BLOBS")]
LOGGING = logging_config(OVEN_LOG_FORMAT, OVEN_LOG_LEVEL, _SECRETS)
