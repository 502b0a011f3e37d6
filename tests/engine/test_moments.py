"""Moments for Chromium, which reads milliseconds as floating point numbers and truncates them to microseconds."""

from __future__ import annotations

import pytest

from captures.engine.pace.virtual import GRID_US, _milliseconds

HOUR_US = 3_600_000_000


@pytest.mark.parametrize("hours", [0, 1, 18, 19, 40, 24 * 30, 24 * 365 * 3])
def test_no_moment_loses_a_microsecond_however_long_the_machine_has_been_up(hours: int) -> None:
    start = hours * HOUR_US
    moments = range(start, start + 2_000_000, GRID_US)
    assert [moment for moment in moments if int(_milliseconds(moment) * 1000) != moment] == []
