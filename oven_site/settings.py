"""Settings, from the environment. `.env.example` lists every name; `NAME_FILE` reads a secret from a file."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from oven.accounts.rates import Rate, rate
from oven.accounts.signatures import LEAST_KEY, keys, limits
from oven.environment import (
    Environment,
    SettingsError,
    host_name,
    network,
    one_of,
    origin,
    proxy,
    seconds,
    time_zone,
    webhook_key,
)
from oven.version import VERSION

BASE_DIR = Path(__file__).resolve().parent.parent
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


def _kept_secret(path: Path) -> str:
    """A secret made at first start and kept with the data."""
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(get_random_secret_key())
    return path.read_text().strip()


ORIGINS = "origins such as https://site.example, with http:// or https:// and without a path"
NETWORKS = "addresses or networks such as 10.0.0.0/8"
RATE = "a rate such as 600/10m (s, m, h, d) or 600/10m burst 60, or off"
SECONDS = "numbers of seconds from 0 on"

# --- Django ---------------------------------------------------------------------------------------------------------
VERSION = VERSION  # noqa: PLW0127 - shown by /status and the admin
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="", secret=True) or _kept_secret(OVEN_DATA / "secret_key")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"], each=host_name, valid="host names without scheme and port")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[], each=origin, valid=ORIGINS)
ROOT_URLCONF = "oven_site.urls"
ASGI_APPLICATION = "oven_site.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
OVEN_TIME_ZONE = env.parsed(
    "OVEN_TIME_ZONE", default="UTC", parse=time_zone, valid="the name of a time zone such as Europe/Berlin"
)
TIME_ZONE = OVEN_TIME_ZONE  # of pages and e-mails; rows and the API are UTC
LANGUAGE_CODE = "en-gb"
APPEND_SLASH = False  # the contract tolerates a trailing slash by itself
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]  # HSTS and the way to https are the proxy's
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
    "oven.adminkit",
    "oven.jobs",
    "oven.events",
    "oven.storage",
    "oven.accounts",
    "oven.accounts.login",
    "oven.egress",
    "oven.ops.health",
    "oven.ops.retention",
    "oven.ops.backup",
    "captures",
    "pins",
    "bakes",
    "bundles",
    "dashboard",
    "demo",
    "chaos",
    "oven_site",
]
MIDDLEWARE = [
    "oven.http.request_id.RequestMiddleware",
    "oven.http.compat.ContractMiddleware",
    "oven.http.csp.PolicyMiddleware",
    "oven.accounts.middleware.AccessMiddleware",
    "oven.http.fast_path.DirectMiddleware",
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
                    ["oven.http.csp.FileLoader", "oven.http.csp.AppLoader"],
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
REDIS_URL = env.url(
    "REDIS_URL", default=f"unix://{OVEN_DATA / 'run' / 'valkey.sock'}?db=0", schemes=("redis", "rediss", "unix")
)
LANES = ("keep", "now", "heavy", "batch")
POOLS = ("capture", "bake", "deliver", "bundle")
LIGHT_QUEUE = "light"
RQ_QUEUES = {
    name: {"URL": REDIS_URL, "DEFAULT_TIMEOUT": 180, "SERIALIZER": "rq.serializers.JSONSerializer"}
    for name in [*(f"{pool}.{lane}" for pool in POOLS for lane in LANES), LIGHT_QUEUE]
}
RQ = {"WORKER_CLASS": "oven.jobs.worker.ForkWorker", "COMMIT_MODE": "auto"}
RQ_SHOW_ADMIN_LINK = False  # oven/adminkit/queues.py has its pages, for superusers
CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
}


# --- Storage --------------------------------------------------------------------------------------------------------
OVEN_PUBLIC_URL = env.url("OVEN_PUBLIC_URL", default="")  # of the web process, for absolute links
if OVEN_PUBLIC_URL.startswith("https://"):  # its own forms, also behind a proxy that is not named as trusted
    CSRF_TRUSTED_ORIGINS += ["/".join(OVEN_PUBLIC_URL.split("/")[:3])]
OVEN_ART_BASE_URL = env.url("OVEN_ART_BASE_URL", default="")  # a CDN in front of the store
OVEN_BLOBS_BASE_URL = env.url("OVEN_BLOBS_BASE_URL", default="")


# Keys in `art` never change their content, but for cards; a tape that is baked again keeps its key.
STORE_CACHE_CONTROL = {"art": "public, max-age=604800", "blobs": "public, max-age=60"}
S3_ACLS = (
    *("private", "public-read", "public-read-write", "authenticated-read"),
    *("aws-exec-read", "bucket-owner-read", "bucket-owner-full-control"),
)
CARD_KEYS, CARD_CACHE_CONTROL = ("og/", "backdrop/"), "public, max-age=86400"


S3_OPTIONS: dict[str, dict[str, object]] = {}  # of each store, whether it has a bucket or not


def _bucket(name: str) -> dict[str, object]:
    """Return the options of a store's S3-compatible bucket."""
    prefix = name.upper()
    return {
        "bucket_name": env.str(f"{prefix}_S3_BUCKET", default=""),
        "endpoint_url": env.url(f"{prefix}_S3_ENDPOINT", default="") or None,
        "region_name": env.str(f"{prefix}_S3_REGION", default=None),
        "access_key": env.str(f"{prefix}_S3_KEY", default=None, secret=True),
        "secret_key": env.str(f"{prefix}_S3_SECRET", default=None, secret=True),
        "default_acl": env.str(f"{prefix}_S3_ACL", default="public-read", choices=("", *S3_ACLS)) or None,
        "addressing_style": env.str(f"{prefix}_S3_ADDRESSING", default="auto", choices=("auto", "path", "virtual")),
        "querystring_auth": False,
        "file_overwrite": True,
        "object_parameters": {"CacheControl": STORE_CACHE_CONTROL[name]},
    }


def _store(name: str) -> dict[str, object]:
    """Return a named store: a bucket when there is one, files under the data directory otherwise."""
    bucket = S3_OPTIONS[name] = _bucket(name)
    if bucket["bucket_name"]:
        return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": bucket}
    options: dict[str, object] = {"location": str(OVEN_DATA / "files" / name), "allow_overwrite": True}
    return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}


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
if SESSION_COOKIE_SECURE:  # no other host of the domain can set cookies of these names
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SESSION_ENGINE = "oven.accounts.sessions"
OVEN_SESSION_IDLE_S = env.float("OVEN_SESSION_IDLE_S", default=86_400.0, least=60)  # unused for so long: signed out
OVEN_SESSION_MAX_S = env.float("OVEN_SESSION_MAX_S", default=1_209_600.0, least=60)  # in use or not
SESSION_COOKIE_AGE = round(OVEN_SESSION_MAX_S)
OVEN_TOKEN_GRACE_S = env.float(  # a rotated token's old secret still works
    "OVEN_TOKEN_GRACE_S", default=86_400.0, least=0
)
OVEN_PUBLIC_LIVE = env.bool("OVEN_PUBLIC_LIVE", default=False)  # anybody may watch the live page, and only watch
OVEN_OPEN_WRITES = env.bool("OVEN_OPEN_WRITES", default=False)
OVEN_OPEN_WRITES_CONFIRMED = env.bool("OVEN_OPEN_WRITES_CONFIRMED", default=False)

# --- Sign-in by an identity provider, and by passkeys ---------------------------------------------------------------
OVEN_OIDC_ISSUER = env.url("OVEN_OIDC_ISSUER", default="")  # none: nobody signs in by OpenID Connect
OVEN_OIDC_CLIENT_ID = env.str("OVEN_OIDC_CLIENT_ID", default="")
OVEN_OIDC_CLIENT_SECRET = env.str("OVEN_OIDC_CLIENT_SECRET", default="", secret=True)
OVEN_OIDC_NAME = env.str("OVEN_OIDC_NAME", default="single sign-on")
OVEN_OIDC_GROUPS_CLAIM = env.str("OVEN_OIDC_GROUPS_CLAIM", default="groups")
OVEN_OIDC_ROLES = env.str("OVEN_OIDC_ROLES", default="")  # group=role,group=role; or a JSON object
OVEN_PASSKEYS = env.bool("OVEN_PASSKEYS", default=False)
# The library that does it has no pages and no e-mails here, and nobody signs up: see oven/accounts/login.
ACCOUNT_ADAPTER = "oven.accounts.login.adapters.Accounts"
SOCIALACCOUNT_ADAPTER = "oven.accounts.login.adapters.Identities"
MFA_ADAPTER = "oven.accounts.login.adapters.Passkeys"
ACCOUNT_SIGNUP_FIELDS = ["username*"]
ACCOUNT_EMAIL_VERIFICATION = SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False  # our own throttles count
SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_STORE_TOKENS = False
MFA_SUPPORTED_TYPES = ["webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True


def _rate(name: str, default: str) -> Rate:
    return env.parsed(name, default=default, parse=rate, valid=RATE)


# --- Throttles ------------------------------------------------------------------------------------------------------
# Networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
OVEN_TRUSTED_PROXIES = env.list("OVEN_TRUSTED_PROXIES", default=[], each=proxy, valid=NETWORKS)
OVEN_THROTTLE_CAPTURES = _rate("OVEN_THROTTLE_CAPTURES", "600/10m burst 60")
OVEN_THROTTLE_COST = _rate("OVEN_THROTTLE_COST", "6000/10m burst 1200")  # megapixels of all frames
OVEN_THROTTLE_BUNDLES = _rate("OVEN_THROTTLE_BUNDLES", "120/10m burst 20")
OVEN_THROTTLE_WRITES = _rate("OVEN_THROTTLE_WRITES", "600/m")
OVEN_THROTTLE_TOKEN_CAPTURES = _rate("OVEN_THROTTLE_TOKEN_CAPTURES", "6000/10m")
OVEN_THROTTLE_TOKEN_COST = _rate("OVEN_THROTTLE_TOKEN_COST", "off")
OVEN_THROTTLE_TOKEN_BUNDLES = _rate("OVEN_THROTTLE_TOKEN_BUNDLES", "1200/10m")
OVEN_THROTTLE_TOKEN_WRITES = _rate("OVEN_THROTTLE_TOKEN_WRITES", "1200/m")
OVEN_THROTTLE_SIGN_INS = _rate("OVEN_THROTTLE_SIGN_INS", "10/10m")  # of one client
OVEN_THROTTLE_SIGN_IN_NAMES = _rate("OVEN_THROTTLE_SIGN_IN_NAMES", "50/h")  # of one account

# --- Anonymous clients ----------------------------------------------------------------------------------------------
OVEN_CLIENT_JOBS = env.int("OVEN_CLIENT_JOBS", default=20, least=1)  # of one kind, waiting or running
OVEN_CLIENT_MB = env.int("OVEN_CLIENT_MB", default=1000, least=1)  # of files that one client's captures keep
OVEN_CLIENT_SOCKETS = env.int("OVEN_CLIENT_SOCKETS", default=20, least=1)  # of one web process
OVEN_QUEUE_RESERVED = env.int("OVEN_QUEUE_RESERVED", default=100, least=0)  # for everybody else
OVEN_HEAVY_MEGAPIXELS = env.float("OVEN_HEAVY_MEGAPIXELS", default=30.0, least=0)  # from here on
OVEN_FAILURE_CACHE_S = env.float("OVEN_FAILURE_CACHE_S", default=60.0, least=0)  # doubles with every failure, up to:
OVEN_FAILURE_CACHE_MAX_S = env.float("OVEN_FAILURE_CACHE_MAX_S", default=600.0, least=0)

# --- Signed addresses -----------------------------------------------------------------------------------------------
OVEN_URL_KEYS = env.parsed(  # the first one signs; none: nothing needs a signature
    "OVEN_URL_KEYS",
    default="",
    parse=lambda text: keys(text.split(",")),
    valid=f"a list of keys with at least {LEAST_KEY} characters each, separated by commas",
    secret=True,
)
# What an address may ask for that nobody has signed, once there are keys.
OVEN_UNSIGNED_LIMITS = env.parsed(
    "OVEN_UNSIGNED_LIMITS",
    default="duration=12000,fps=15,density=2,width=640,height=640",
    parse=lambda text: limits(entry for entry in text.split(",") if entry.strip()),
    valid="a list such as duration=12000,fps=15 (of duration, fps, playbackFps, density, width, height)",
)

# --- Pieces and captures --------------------------------------------------------------------------------------------
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
OVEN_SETTLE_STILL_MS = env.int("OVEN_SETTLE_STILL_MS", default=500, least=0)
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
OVEN_RECYCLE_AGE_S = env.float("OVEN_RECYCLE_AGE_S", default=3600.0, above=0)
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

# --- The door out ---------------------------------------------------------------------------------------------------
OVEN_PAGE_MAX_REQUESTS = env.int("OVEN_PAGE_MAX_REQUESTS", default=3000, least=1)
OVEN_PAGE_MAX_MB = env.int("OVEN_PAGE_MAX_MB", default=256, least=1)

# --- Cards ----------------------------------------------------------------------------------------------------------
OVEN_CARD_LIST_URL = env.template(
    "OVEN_CARD_LIST_URL",
    default="{origin}/api/tv?types=kidlisp&sort=hits&limit={limit}",
    fields=("origin", "limit"),
)
OVEN_CARD_EVERY_S = env.float("OVEN_CARD_EVERY_S", default=21_600.0, least=0)  # 0: only when asked for
OVEN_CARD_WAIT_S = env.float("OVEN_CARD_WAIT_S", default=120.0, above=0)  # a card waits this long for its captures
OVEN_CARD_DAYS = env.float("OVEN_CARD_DAYS", default=30.0, above=0)  # a card that is not the newest is kept so long
OVEN_BACKDROP_HANDLE = env.str("OVEN_BACKDROP_HANDLE", default="@jeffrey")  # whose pieces; empty: anybody's

# --- Bakes ----------------------------------------------------------------------------------------------------------
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

# --- Bundles --------------------------------------------------------------------------------------------------------
OVEN_BUNDLE_SOURCE = str(BASE_DIR / env.str("OVEN_BUNDLE_SOURCE", default="pieces"))
OVEN_BUNDLE_SEEDS = env.list("OVEN_BUNDLE_SEEDS", default=["runtime/main.mjs", "runtime/kidlisp-piece.mjs"])
OVEN_BUNDLE_BOOT = env.str("OVEN_BUNDLE_BOOT", default="runtime/main.mjs")
OVEN_BUNDLE_PROGRAM_MODULE = env.str("OVEN_BUNDLE_PROGRAM_MODULE", default="runtime/kidlisp-piece.mjs")
OVEN_BUNDLE_PIECES = env.str("OVEN_BUNDLE_PIECES", default="pieces/")
OVEN_BUNDLE_INCLUDE = env.list("OVEN_BUNDLE_INCLUDE", default=[])
OVEN_BUNDLE_PREFIX = env.str("OVEN_BUNDLE_PREFIX", default="ac")
OVEN_BUNDLE_PROBE = env.str("OVEN_BUNDLE_PROBE", default="orbit")
OVEN_BUNDLE_ORIGIN = env.url("OVEN_BUNDLE_ORIGIN", default="")
OVEN_BUNDLE_CACHE_S = env.float("OVEN_BUNDLE_CACHE_S", default=3600.0, least=0)
OVEN_BUNDLE_WAIT_S = env.float("OVEN_BUNDLE_WAIT_S", default=120.0, above=0)
OVEN_BUNDLE_CORES = env.int("OVEN_BUNDLE_CORES", default=8, least=1)
OVEN_VERSION = env.str("OVEN_VERSION", default="")
OVEN_NODE = env.str("OVEN_NODE", default="")

# --- IPFS -----------------------------------------------------------------------------------------------------------
OVEN_PINNING = env.str("OVEN_PINNING", default="local", choices=("local", "pinata", "kubo"))
OVEN_PINATA_URL = env.url("OVEN_PINATA_URL", default="https://api.pinata.cloud")
OVEN_PINATA_JWT = env.str("OVEN_PINATA_JWT", default="", secret=True)
OVEN_PINATA_KEY = env.str("OVEN_PINATA_KEY", default="", secret=True)
OVEN_PINATA_SECRET = env.str("OVEN_PINATA_SECRET", default="", secret=True)
OVEN_KUBO_URL = env.url("OVEN_KUBO_URL", default="")
OVEN_KUBO_TOKEN = env.str("OVEN_KUBO_TOKEN", default="", secret=True)
OVEN_IPFS_GATEWAY = env.url("OVEN_IPFS_GATEWAY", default="https://ipfs.aesthetic.computer/ipfs/")
OVEN_CID_VERSION = env.int("OVEN_CID_VERSION", default=1, least=0, most=1)
OVEN_PIN_LIMIT_S = env.float("OVEN_PIN_LIMIT_S", default=60.0, above=0)  # for one try
OVEN_PIN_WAIT_S = env.float("OVEN_PIN_WAIT_S", default=40.0, above=0)  # a request waits this long for its pin
OVEN_PIN_DELAYS_S = env.list(
    "OVEN_PIN_DELAYS_S", default=[2.0, 10.0, 60.0, 300.0, 1800.0], each=seconds, valid=SECONDS
)

# --- Jobs -----------------------------------------------------------------------------------------------------------
OVEN_MAX_ATTEMPTS = env.int("OVEN_MAX_ATTEMPTS", default=3, least=1)
OVEN_HEARTBEAT_S = env.float("OVEN_HEARTBEAT_S", default=2.0, above=0)
OVEN_STALE_S = env.float("OVEN_STALE_S", default=15.0, above=0)  # a heartbeat older than this: the worker is gone
OVEN_SWEEP_S = env.float("OVEN_SWEEP_S", default=2.0, above=0)
OVEN_PERIODIC_INTERVAL_S = env.float("OVEN_PERIODIC_INTERVAL_S", default=10.0, above=0)  # of the bundle tree
OVEN_AGE_LANE_S = env.float("OVEN_AGE_LANE_S", default=120.0, least=0)  # waited so long: one lane up
OVEN_UNDO_S = env.float("OVEN_UNDO_S", default=10.0, least=0)  # a bulk action can be undone for so long
OVEN_BULK_LIMIT = env.int("OVEN_BULK_LIMIT", default=20_000, least=1)  # jobs of one bulk action
OVEN_RETRY_BASE_S = env.float("OVEN_RETRY_BASE_S", default=2.0, least=0)

# --- Health ---------------------------------------------------------------------------------------------------------
OVEN_HEALTH_INTERVAL_S = env.float("OVEN_HEALTH_INTERVAL_S", default=3.0, above=0)
OVEN_ALERT_QUEUE = env.int("OVEN_ALERT_QUEUE", default=100, least=0)
OVEN_ALERT_RUNNING_S = env.float("OVEN_ALERT_RUNNING_S", default=30.0, least=0)
OVEN_ALERT_MEMORY_PERCENT = env.float("OVEN_ALERT_MEMORY_PERCENT", default=80.0, least=0, most=100)
OVEN_ALERT_DISK_PERCENT = env.float("OVEN_ALERT_DISK_PERCENT", default=90.0, least=0, most=100)
OVEN_ALERT_FAILURES_PERCENT = env.float("OVEN_ALERT_FAILURES_PERCENT", default=5.0, least=0, most=100)
OVEN_ALERT_FAILURES_LEAST = env.int("OVEN_ALERT_FAILURES_LEAST", default=20, least=1)
OVEN_ALERT_CALLBACK_DAYS = env.float("OVEN_ALERT_CALLBACK_DAYS", default=7.0, least=0)
OVEN_ALERT_HTTP_PERCENT = env.float("OVEN_ALERT_HTTP_PERCENT", default=1.0, least=0, most=100)
OVEN_ALERT_HTTP_LEAST = env.int("OVEN_ALERT_HTTP_LEAST", default=50, least=1)
OVEN_ALERT_BACKUP_HOURS = env.float("OVEN_ALERT_BACKUP_HOURS", default=26.0, least=0)  # 0: backups are not watched
OVEN_WEB_HEALTH_INTERVAL_S = env.float("OVEN_WEB_HEALTH_INTERVAL_S", default=5.0, least=0)  # supervisor; 0: never
OVEN_READY_POOLS = env.list(
    "OVEN_READY_POOLS", default=list(POOLS), each=one_of(*POOLS), valid=f"pools ({', '.join(POOLS)})"
)
OVEN_SAMPLE_DAYS = env.float("OVEN_SAMPLE_DAYS", default=14.0, above=0)

# --- Alerts: notifications ------------------------------------------------------------------------------------
OVEN_ALERT_QUIET_S = env.float("OVEN_ALERT_QUIET_S", default=60.0, least=0)  # nothing is sent so long after a start
OVEN_ALERT_WEBHOOK = env.str("OVEN_ALERT_WEBHOOK", default="", secret=True)  # none: no webhook
OVEN_ALERT_WEBHOOK_KEY = env.str("OVEN_ALERT_WEBHOOK_KEY", default="", secret=True)  # whsec_...; none: not signed
OVEN_ALERT_MAIL_TO = env.list("OVEN_ALERT_MAIL_TO", default=[])  # none: no mails
OVEN_ALERT_MAIL_FROM = env.str("OVEN_ALERT_MAIL_FROM", default="")
OVEN_PING_URL = env.str("OVEN_PING_URL", default="", secret=True)  # none: no pings
OVEN_PING_EVERY_S = env.float("OVEN_PING_EVERY_S", default=60.0, above=0)
OVEN_PING_BACKUP_URL = env.str("OVEN_PING_BACKUP_URL", default="", secret=True)
EMAIL_URL = env.str("EMAIL_URL", default="", secret=True)
EMAIL_TIMEOUT = 10
_mail = {"EMAIL_HOST": ""}
if EMAIL_URL:
    with contextlib.suppress(ImproperlyConfigured, ValueError):  # oven.ops.health.checks refuses it
        _mail = env.email_url_config(EMAIL_URL)
vars().update(_mail)
_mail_user = _mail.get("EMAIL_HOST_USER") or ""
OVEN_ALERT_MAIL_FROM = OVEN_ALERT_MAIL_FROM or (_mail_user if "@" in _mail_user else "oven@localhost")

# --- Logs -----------------------------------------------------------------------------------------------------------
OVEN_LOG_FORMAT = env.str(  # json, console; none: what fits where they go
    "OVEN_LOG_FORMAT", default="", choices=("", "json", "console")
)
OVEN_LOG_LEVEL = env.parsed(
    "OVEN_LOG_LEVEL",
    default="INFO",
    parse=lambda text: one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")(text.upper()),
    valid="DEBUG, INFO, WARNING, ERROR or CRITICAL",
)
OVEN_REQUEST_ID_FROM = env.list(
    "OVEN_REQUEST_ID_FROM", default=["127.0.0.1/32", "::1/128"], each=network, valid=NETWORKS
)
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True  # our own middleware has looked at it

# --- Admin ----------------------------------------------------------------------------------------------------------
from oven.adminkit.theme import UNFOLD  # noqa: E402, F401
from oven.logs import logging_config  # noqa: E402

_secrets = [SECRET_KEY, *OVEN_URL_KEYS, _mail.get("EMAIL_HOST_PASSWORD") or "", *env.secrets]
LOGGING = logging_config(OVEN_LOG_FORMAT, OVEN_LOG_LEVEL, _secrets)
UNKNOWN_SETTINGS = env.unknown()
env.finish()
