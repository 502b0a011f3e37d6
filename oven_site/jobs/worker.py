"""What messages of version 0.5 name."""

from oven.jobs.worker import perform

__all__ = ["perform"]
