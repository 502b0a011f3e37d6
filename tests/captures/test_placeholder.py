from __future__ import annotations

import io

import pytest
from PIL import Image

from captures.api import PLACEHOLDER_FORMATS
from captures.engine.spec import Format
from captures.placeholder import placeholder

MAGIC = {Format.WEBP: b"RIFF", Format.GIF: b"GIF89a", Format.PNG: b"\x89PNG"}


@pytest.mark.parametrize("size", [(512, 512), (32, 32), (1000, 40), (3, 3)])
@pytest.mark.parametrize("format_", list(MAGIC))
def test_a_stand_in_is_a_picture_of_the_asked_type_and_size(format_: Format, size: tuple[int, int]) -> None:
    data = placeholder(format_, *size, "$orbit", 3, 45_000)
    assert data.startswith((MAGIC[format_], b"GIF87a") if format_ is Format.GIF else MAGIC[format_])
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert (image.format, image.size) == (format_.upper(), size)


def test_a_film_is_stood_in_by_a_picture() -> None:
    assert {format_: PLACEHOLDER_FORMATS.get(format_, format_) for format_ in Format} == {
        Format.WEBP: Format.WEBP,
        Format.GIF: Format.GIF,
        Format.PNG: Format.PNG,
        Format.MP4: Format.PNG,
    }


def test_the_place_and_the_wait_are_in_the_picture() -> None:
    pictures = {
        placeholder(Format.PNG, 256, 256, "orbit", place, wait) for place in (0, 1, 2) for wait in (5, 90_000)
    }
    assert len(pictures) == 6


def test_the_same_picture_is_drawn_once() -> None:
    first = placeholder(Format.PNG, 256, 256, "orbit", 1, 5000)
    assert placeholder(Format.PNG, 256, 256, "orbit", 1, 5000) is first


@pytest.mark.parametrize("piece", ["$", "naïve", "@user/very-long-name-of-a-piece"])
def test_any_name_can_be_drawn(piece: str) -> None:
    assert placeholder(Format.PNG, 128, 128, piece, 0, 5000)
