"""Names and dates of bundles, as callers know them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bundles.engine.spec import BundleSpec

NAMES = "January February March April May June July August September October November December"
MONTHS = NAMES.split()  # whatever the locale


def stamp(now: datetime) -> str:
    """`year.month.day.hour.minute.second.millis`; only the last is padded."""
    parts = (now.year, now.month, now.day, now.hour, now.minute, now.second)
    return ".".join(str(part) for part in parts) + f".{now.microsecond // 1000:03d}"


def filename(spec: BundleSpec, author: str) -> str:
    if spec.is_program:
        return f"${spec.code}-{author or 'anon'}-{stamp(spec.now)}.lisp.html"
    return f"{spec.piece.replace('/', '-')}-{stamp(spec.now)}.html"


def pack_date(now: datetime) -> str:
    """Los Angeles time in US English: `February 13, 2026 at 1:05:09 PM`."""
    there = _los_angeles(now.astimezone(UTC))
    hour = there.hour % 12 or 12
    clock = f"{hour}:{there.minute:02d}:{there.second:02d} {'AM' if there.hour < 12 else 'PM'}"
    return f"{MONTHS[there.month - 1]} {there.day}, {there.year} at {clock}"


def _los_angeles(utc: datetime) -> datetime:
    """By the rule in force since 2007, as not every machine has a time zone database, nor the same one."""
    begins = _sunday(utc.year, 3, 2) + timedelta(hours=10)
    ends = _sunday(utc.year, 11, 1) + timedelta(hours=9)
    return utc - timedelta(hours=7 if begins <= utc < ends else 8)


def _sunday(year: int, month: int, number: int) -> datetime:
    """Midnight of a month's first, second... Sunday."""
    first = datetime(year, month, 1, tzinfo=UTC)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (number - 1))


def handle(author: str) -> str:
    """A handle that may stand in a file name: without its @ and without anything else."""
    return "".join(letter for letter in author if letter.isascii() and (letter.isalnum() or letter in "_-."))[:60]


def size_kb(html: str) -> int:
    """As callers count it: in JavaScript's units, half up."""
    units = len(html) if html.isascii() else len(html.encode("utf-16-le")) // 2
    return int(units / 1024 + 0.5)
