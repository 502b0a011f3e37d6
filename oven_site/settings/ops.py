"""Health, alerts, notifications, logs."""

from __future__ import annotations

import contextlib

from django.core.exceptions import ImproperlyConfigured

from oven.environment import network, one_of
from oven_site.settings.environment import NETWORKS, env
from oven_site.settings.queue import POOLS

OVEN_HEALTH_INTERVAL_S = env.float("OVEN_HEALTH_INTERVAL_S", default=3.0, above=0)
OVEN_ALERT_QUEUE = env.int("OVEN_ALERT_QUEUE", default=100, least=0)
OVEN_ALERT_RUNNING_S = env.constant("OVEN_ALERT_RUNNING_S", 30.0)
OVEN_ALERT_MEMORY_PERCENT = env.float("OVEN_ALERT_MEMORY_PERCENT", default=80.0, least=0, most=100)
OVEN_ALERT_DISK_PERCENT = env.float("OVEN_ALERT_DISK_PERCENT", default=90.0, least=0, most=100)
OVEN_ALERT_FAILURES_PERCENT = env.constant("OVEN_ALERT_FAILURES_PERCENT", 5.0)
OVEN_ALERT_FAILURES_LEAST = env.int("OVEN_ALERT_FAILURES_LEAST", default=20, least=1)
OVEN_ALERT_CALLBACK_DAYS = env.constant("OVEN_ALERT_CALLBACK_DAYS", 7.0)
OVEN_ALERT_HTTP_PERCENT = env.constant("OVEN_ALERT_HTTP_PERCENT", 1.0)
OVEN_ALERT_HTTP_LEAST = env.constant("OVEN_ALERT_HTTP_LEAST", 50)
OVEN_ALERT_BACKUP_HOURS = env.float("OVEN_ALERT_BACKUP_HOURS", default=26.0, least=0)  # 0: backups are not watched
OVEN_WEB_HEALTH_INTERVAL_S = env.float("OVEN_WEB_HEALTH_INTERVAL_S", default=5.0, least=0)  # supervisor; 0: never
OVEN_READY_POOLS = env.list(
    "OVEN_READY_POOLS", default=list(POOLS), each=one_of(*POOLS), valid=f"pools ({', '.join(POOLS)})"
)
OVEN_SAMPLE_DAYS = env.float("OVEN_SAMPLE_DAYS", default=14.0, above=0)

# --- Notifications ---
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
env.secrets.append(str(_mail.get("EMAIL_HOST_PASSWORD") or ""))
_mail_user = _mail.get("EMAIL_HOST_USER") or ""
OVEN_ALERT_MAIL_FROM = OVEN_ALERT_MAIL_FROM or (_mail_user if "@" in _mail_user else "oven@localhost")

# --- Logs ---
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
