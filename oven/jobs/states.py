"""States and lanes of a job. Each carries its label, colour and group."""

from __future__ import annotations

from enum import StrEnum

from django.db import models


class Group(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"


class State(models.TextChoices):
    QUEUED = "queued", "Queued"
    RETRYING = "retrying", "Waiting to retry"
    RUNNING = "running", "Running"
    CANCELLING = "cancelling", "Cancelling"
    COMPLETE = "complete", "Complete"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"

    @property
    def color(self) -> str:
        return _COLORS[self]

    @property
    def group(self) -> Group:
        if self in WAITING:
            return Group.WAITING
        return Group.RUNNING if self in RUNNING else Group.ENDED


WAITING = (State.QUEUED, State.RETRYING)
RUNNING = (State.RUNNING, State.CANCELLING)
ACTIVE = (*WAITING, *RUNNING)
ENDED = (State.COMPLETE, State.FAILED, State.CANCELLED)

# Names of the admin theme's chip colours.
_COLORS = {
    State.QUEUED: "info",
    State.RETRYING: "warning",
    State.RUNNING: "primary",
    State.CANCELLING: "warning",
    State.COMPLETE: "success",
    State.FAILED: "danger",
    State.CANCELLED: "default",
}


class Lane(models.TextChoices):
    """In order of urgency."""

    KEEP = "keep", "Keep"  # mints
    NOW = "now", "Now"  # someone waits for the answer
    HEAVY = "heavy", "Heavy"  # expensive work of anonymous callers: where there are several workers, one runs none
    BATCH = "batch", "Batch"

    @property
    def color(self) -> str:
        return {Lane.KEEP: "warning", Lane.NOW: "primary", Lane.HEAVY: "info", Lane.BATCH: "default"}[self]

    @property
    def above(self) -> Lane:
        """The next more urgent lane that waiting may lead to (nothing ages into the keep lane)."""
        return Lane.NOW if self is Lane.BATCH else self


class BulkVerb(models.TextChoices):
    """What can be done to many at once."""

    AGAIN = "again", "Requeue"
    CANCEL = "cancel", "Cancel"
    LANE = "lane", "Move to another lane"
    UNFREEZE = "unfreeze", "Unfreeze"
