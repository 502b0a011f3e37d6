"""Django itself: apps, middleware, templates, static files."""

from __future__ import annotations

import os
from pathlib import Path

from django.core.management.utils import get_random_secret_key

from oven.adminkit.theme import UNFOLD as UNFOLD
from oven.environment import host_name, origin, time_zone
from oven.version import VERSION as VERSION
from oven_site.settings.environment import BASE_DIR, ORIGINS, OVEN_DATA, env


def _kept_secret(path: Path) -> str:
    """A secret made at first start and kept with the data."""
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(get_random_secret_key())
    return path.read_text().strip()


DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="", secret=True) or _kept_secret(OVEN_DATA / "secret_key")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"], each=host_name, valid="host names without scheme and port")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[], each=origin, valid=ORIGINS)
OVEN_PUBLIC_URL = env.url("OVEN_PUBLIC_URL", default="")  # of the web process, for absolute links
if OVEN_PUBLIC_URL.startswith("https://"):  # its own forms, also behind a proxy that is not named as trusted
    CSRF_TRUSTED_ORIGINS += ["/".join(OVEN_PUBLIC_URL.split("/")[:3])]
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
