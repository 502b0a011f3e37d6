"""Who may do what: sign-in, sessions, rate limits, anonymous clients, signed addresses."""

from __future__ import annotations

from oven.accounts.rates import Rate, rate
from oven.accounts.signatures import LEAST_KEY, keys, limits
from oven.environment import proxy
from oven_site.settings.base import OVEN_PUBLIC_URL
from oven_site.settings.environment import NETWORKS, RATE, env

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

# --- Sign-in by an identity provider, and by passkeys ---
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


# --- Rate limits ---
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

# --- Anonymous clients ---
OVEN_CLIENT_JOBS = env.int("OVEN_CLIENT_JOBS", default=20, least=1)  # of one kind, waiting or running
OVEN_CLIENT_MB = env.int("OVEN_CLIENT_MB", default=1000, least=1)  # of files that one client's captures keep
OVEN_CLIENT_SOCKETS = env.int("OVEN_CLIENT_SOCKETS", default=20, least=1)  # of one web process
OVEN_QUEUE_RESERVED = env.int("OVEN_QUEUE_RESERVED", default=100, least=0)  # for everybody else
OVEN_HEAVY_MEGAPIXELS = env.float("OVEN_HEAVY_MEGAPIXELS", default=30.0, least=0)  # from here on
OVEN_FAILURE_CACHE_S = env.float("OVEN_FAILURE_CACHE_S", default=60.0, least=0)  # doubles with every failure, up to:
OVEN_FAILURE_CACHE_MAX_S = env.float("OVEN_FAILURE_CACHE_MAX_S", default=600.0, least=0)

# --- Signed addresses ---
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
