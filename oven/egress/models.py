"""Exceptions from the address policy: who opened which host, why, and until when."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

_PATTERN = re.compile(
    r"((?P<scheme>https?)://)?"
    r"(?P<host>(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])"
    r"(?P<port>:\d{1,5})?"
)
_PORTS = {"http": 80, "https": 443}


def normal_pattern(text: str) -> str:
    """A pattern as it is kept: "http://host:port", or a host alone, which may start with "*.".

    Raises ValidationError.
    """
    pattern = text.strip().rstrip("/").lower()
    found = _PATTERN.fullmatch(pattern)
    if not found or (found["port"] and not found["scheme"]):
        raise ValidationError("An origin (http://10.0.0.5:8080) or a host (10.0.0.5, *.studio.example) is needed.")
    if found["host"].startswith("*.") and found["host"].count(".") < 2:
        raise ValidationError("That would open a whole top-level domain: name at least two labels after the *.")
    return pattern


def check_pattern(text: str) -> None:
    normal_pattern(text)


class EgressException(models.Model):
    """A host off the open internet that may be reached all the same, until `expires_at`."""

    pattern = models.CharField(
        max_length=200,
        validators=[check_pattern],
        help_text="An origin (http://10.0.0.5:8080) or a host (10.0.0.5, *.studio.example).",
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        help_text="Who answers for it. It goes with that account.",
    )
    reason = models.CharField(max_length=300)
    expires_at = models.DateTimeField(db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "egress exception"
        ordering = ("expires_at",)

    def __str__(self) -> str:
        return self.pattern

    def save(self, *args: object, **kwargs: object) -> None:
        self.pattern = normal_pattern(self.pattern)
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    @property
    def expired(self) -> bool:
        return self.expires_at <= timezone.now()


def matches(pattern: str, url: str) -> bool:
    """Whether a kept pattern covers a URL. An origin without a port means the scheme's own."""
    parts, wanted = urlsplit(url.lower()), _PATTERN.fullmatch(pattern)
    if wanted is None or not parts.hostname:
        return False
    if wanted["scheme"]:
        port = int(wanted["port"][1:]) if wanted["port"] else _PORTS[wanted["scheme"]]
        if (parts.scheme, parts.port or _PORTS.get(parts.scheme)) != (wanted["scheme"], port):
            return False
    return fnmatchcase(parts.hostname, wanted["host"].strip("[]"))
