"""What staff should know of bakes."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from bakes.models import Bake, Site
from oven.ops.health.alerts import Alert


def undelivered() -> list[Alert]:
    """Bakes of the last days whose callback was given up."""
    since = timezone.now() - timedelta(days=settings.OVEN_ALERT_CALLBACK_DAYS)
    count = Bake.objects.filter(site=Site.UNDELIVERED, site_at__gte=since).count()
    if not count:
        return []
    what = "One callback was" if count == 1 else f"{count} callbacks were"
    return [{"code": "callbacks", "level": "warn", "text": f"{what} not delivered: the site has not been told."}]
