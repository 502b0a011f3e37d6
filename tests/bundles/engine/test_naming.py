"""Names, dates and sizes as callers know them."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from bundles.engine.device import device_page, m4d_device, m4d_name
from bundles.engine.naming import filename, pack_date, size_kb, stamp
from bundles.engine.spec import BundleSpec


def test_the_stamp_pads_only_its_milliseconds() -> None:
    assert stamp(datetime(2026, 2, 3, 4, 5, 6, 7999, tzinfo=UTC)) == "2026.2.3.4.5.6.007"


def test_the_stamp_is_of_the_clock_it_is_given() -> None:
    moment = datetime(2026, 1, 1, 0, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert filename(BundleSpec(moment, piece="dot"), "") == "dot-2026.1.1.0.0.0.000.html"


@pytest.mark.parametrize("year", [2024, 2026, 2031])
def test_dates_are_those_of_los_angeles(year: int) -> None:
    for hours in range(0, 366 * 24, 7):
        moment = datetime(year, 1, 1, 0, 59, 59, tzinfo=UTC) + timedelta(hours=hours)
        there = moment.astimezone(ZoneInfo("America/Los_Angeles"))
        hour = there.strftime("%I").lstrip("0")
        assert pack_date(moment) == there.strftime(f"%B {there.day}, %Y at {hour}:%M:%S %p")


def test_sizes_are_counted_in_javascripts_units() -> None:
    assert size_kb("😀" * 512) == 1
    assert size_kb("x" * 1535) == 1
    assert size_kb("x" * 1536) == 2


def test_a_device_page_is_one_frame() -> None:
    page = device_page('https://site.test/$roz?a=1&b="><script>', "<roz>")
    assert 'src="https://site.test/$roz?a=1&amp;b=&quot;&gt;&lt;script&gt;"' in page
    assert page.count("<iframe") == 1 and "<script>" not in page


def test_a_device_for_live_is_a_header_and_a_patcher() -> None:
    device = m4d_device(b"<!doctype html>", "orbit")
    assert device[:4] == b"ampf" and device[24:28] == b"ptch"
    assert struct.unpack("<I", device[28:32])[0] == len(device) - 32
    patcher = json.loads(device[32:].rstrip(b"\0"))["patcher"]
    view = next(box["box"] for box in patcher["boxes"] if box["box"]["maxclass"] == "jweb~")
    assert view["url"] == "data:text/html;base64,PCFkb2N0eXBlIGh0bWw+"
    assert view["patching_rect"][2:] == [400.0, 200.0]
    assert m4d_name("a/orbit") == "AC a-orbit (offline).amxd"
