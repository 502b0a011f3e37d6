"""What a capture is for: where its file lies, what the file is called, and how long it answers."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models


class Purpose(models.TextChoices):
    """Captures for different purposes never stand in for one another: each has a life of its own."""

    GRAB = "grab", "Grab"
    ICON = "icon", "Icon"
    ANIMATED_ICON = "animated-icon", "Animated icon"
    PREVIEW = "preview", "Preview"
    SCREENSHOT = "app-screenshot", "Store screenshot"

    @property
    def folder(self) -> str:
        return f"oven/{self.value}s"

    @property
    def life(self) -> timedelta:
        days = settings.OVEN_GRAB_DAYS if self is Purpose.GRAB else settings.OVEN_ICON_DAYS
        return timedelta(days=days)
