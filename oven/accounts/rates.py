"""How often something may be done, as settings say it: `600/10m burst 60`."""

from __future__ import annotations

import re
from typing import NamedTuple

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_WRITTEN = re.compile(r"(\d{1,9})/(\d{0,6})([smhd])(?: +burst +(\d{1,9}))?", re.ASCII)


class Rate(NamedTuple):
    """`times` in `seconds`, coming back evenly. 0 times: without a limit."""

    times: int
    seconds: float
    burst: int = 0  # at most so many at once; 0: all of them

    @property
    def interval_ms(self) -> float:
        """Return the time until one more is allowed, once the burst is used up."""
        return self.seconds * 1000 / self.times

    @property
    def most(self) -> int:
        """Return how many may come at once."""
        return self.burst or self.times


UNLIMITED = Rate(0, 0.0)


def rate(text: str) -> Rate:
    """Parse `30/m`, `600/10m`, `600/10m burst 60` or `off`. Without a burst, all of them may come at once.

    Raises ValueError.
    """
    if text.strip().lower() in ("", "off", "0"):
        return UNLIMITED
    found = _WRITTEN.fullmatch(text.strip().lower())
    times = int(found[1]) if found else 0
    seconds = int(found[2] or 1) * _UNITS[found[3]] if found else 0
    burst = int(found[4] or 0) if found else 0
    if not times or not seconds or burst > times:
        raise ValueError(
            f"{text!r} is no rate: write 600/10m for 600 times in ten minutes (s, m, h, d), 600/10m burst 60 where "
            "at most 60 of them may come at once, or off."
        )
    return Rate(times, float(seconds), burst)


def seconds(text: str) -> float:
    """Of `90s`, `15m`, `12h` or `1d`. Raises ValueError."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text.strip().lower())
    if not found or not int(found[1]):
        raise ValueError(f"{text!r} is no time: write 90s, 15m, 12h or 1d.")
    return float(int(found[1]) * _UNITS[found[2]])
