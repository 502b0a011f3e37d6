"""Numbers that others have written: headers, parameters, forms."""

from __future__ import annotations

DIGITS = 18  # so many fit into any database


def whole(text: str, digits: int = DIGITS) -> int | None:
    """Return the number of at most so many ASCII digits; None for any other text.

    `str.isdigit` alone lets "²" through, and `int` refuses what has more than 4,300 digits.
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None
