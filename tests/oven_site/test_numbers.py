"""Numbers in what others send: ASCII digits, and not too many."""

from __future__ import annotations

import pytest

from oven.numbers import whole


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("9" * 18, 10**18 - 1)])
def test_ascii_digits_are_a_number(text: str, number: int) -> None:
    assert whole(text) == number


@pytest.mark.parametrize(
    "text", ["", " 1", "-1", "+1", "1.0", "1e3", "1_0", "²", "٣", "１", "①", "9" * 19, "9" * 5000]
)
def test_nothing_else_is(text: str) -> None:
    assert whole(text) is None


def test_a_place_may_allow_fewer_digits() -> None:
    assert (whole("99999", 5), whole("100000", 5)) == (99999, None)
