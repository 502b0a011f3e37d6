"""What messages of version 0.5 name."""

from oven.jobs.cleanup import run
from oven.jobs.cleanup import run_periodic as look_after

__all__ = ["look_after", "run"]
