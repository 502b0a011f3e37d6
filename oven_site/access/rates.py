"""How often something may be done, as settings say it: `600/10m` is 600 times within ten minutes."""

from __future__ import annotations

import re
from typing import NamedTuple

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_WRITTEN = re.compile(r"(\d{1,9})/(\d{0,6})([smhd])")


class Rate(NamedTuple):
    """`times` in `seconds`; all of them may come at once, then they come back evenly. 0 times: without a limit."""

    times: int
    seconds: float

    @property
    def interval_ms(self) -> float:
        """Until one more is allowed, once all are used up."""
        return self.seconds * 1000 / self.times


UNLIMITED = Rate(0, 0.0)


def rate(text: str) -> Rate:
    """`30/m`, `600/10m`, or `off`. Raises ValueError."""
    if text.strip().lower() in ("", "off", "0"):
        return UNLIMITED
    found = _WRITTEN.fullmatch(text.strip().lower())
    times = int(found[1]) if found else 0
    seconds = int(found[2] or 1) * _UNITS[found[3]] if found else 0
    if not times or not seconds:
        raise ValueError(f"{text!r} is no rate: write 600/10m for 600 times in ten minutes (s, m, h, d), or off.")
    return Rate(times, float(seconds))


def seconds(text: str) -> float:
    """Of `90s`, `15m`, `12h` or `1d`. Raises ValueError."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text.strip().lower())
    if not found or not int(found[1]):
        raise ValueError(f"{text!r} is no time: write 90s, 15m, 12h or 1d.")
    return float(int(found[1]) * _UNITS[found[2]])
