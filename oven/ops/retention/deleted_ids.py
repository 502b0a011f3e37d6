"""Which rows are gone, as far as a dry run is concerned: one bit a row, so that a million fit into 125 kB."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Marks:
    """A set of small whole numbers."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> None:
        place = number >> 3
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 1 + (place >> 1) - len(self._bits)))
        self._bits[place] |= 1 << (number & 7)

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        place = number >> 3
        return place < len(self._bits) and bool(self._bits[place] & 1 << (number & 7))


class Gone:
    """Rows by model. A real run has nothing to remember: what is gone is not found any more."""

    def __init__(self) -> None:
        self._marks: dict[Any, Marks] = {}

    def add(self, model: Any, pks: Iterable[int]) -> None:
        marks = self._marks.setdefault(model, Marks())
        for pk in pks:
            marks.add(pk)

    def has(self, model: Any, pk: object) -> bool:
        marks = self._marks.get(model)
        return marks is not None and pk in marks
