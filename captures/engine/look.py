"""What a series of frames shows: does it move, is it flat, is it black. Judged on decoded pixels."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from PIL import Image

from captures.engine.spec import PREVIEW_SIDE

SMALL = 128  # what is judged has about this many pixels a side
FLAT_LEVELS = 30  # sum over R, G and B
BLACK_LEVEL = 5
CLEAR_ALPHA = 10


def open_small(data: bytes) -> Image.Image:
    """The frame, reduced by a power of two to about SMALL pixels; JPEGs are reduced while decoding (cheap)."""
    image = Image.open(io.BytesIO(data))
    if image.format == "JPEG":
        image.draft("RGB", (SMALL, SMALL))
    image.load()
    return reduce(image)


def reduce(image: Image.Image) -> Image.Image:
    factor = min(image.size) // SMALL
    return image.reduce(factor) if factor > 1 else image


@dataclass(slots=True)
class Look:
    """Fed with every frame in order, in bounded memory; see the properties for what it concludes."""

    frames: int = 0
    blank_frames: int = 0
    clear_frames: int = 0
    white_frames: int = 0
    moved: bool = False
    detailed: bool = False
    _first: bytes = b""
    _darkest: list[int] = field(default_factory=lambda: [255, 255, 255])
    _brightest: list[int] = field(default_factory=lambda: [0, 0, 0])
    _mean: tuple[int, int, int] = (0, 0, 0)

    def feed(self, data: bytes, image: Image.Image | None = None) -> Image.Image:
        """Takes one frame (PNG or JPEG bytes, and decoded if that has been done); returns it small, for previews."""
        small = open_small(data) if image is None else reduce(image)
        rgb, extrema = small.convert("RGB"), _alpha_extrema(small)
        self._count(rgb, extrema)
        if not self.frames:
            self._first, self._mean = data, _mean_color(rgb)
        elif not self.moved:
            self.moved = data != self._first  # equal pixels are equal bytes: Chromium encodes all frames alike
        if not self.detailed:
            self._look_for_detail(rgb, data)
        self.frames += 1
        return small

    @property
    def frozen(self) -> bool:
        """An animation was asked for and every frame is the same, to the pixel."""
        return self.frames > 1 and not self.moved

    @property
    def flat(self) -> bool:
        """One flat colour in all frames and across time (flashing between colours is a picture)."""
        drift = sum(high - low for low, high in zip(self._darkest, self._brightest, strict=True))
        return self.frames > 0 and not self.detailed and drift < FLAT_LEVELS

    @property
    def flat_color(self) -> str:
        return "#{:02x}{:02x}{:02x}".format(*self._mean)

    @property
    def blank(self) -> bool:
        return self.frames > 0 and self.blank_frames == self.frames

    @property
    def maybe_undrawn(self) -> bool:
        """All frames are what an empty page shows: white, or clear where clear is kept."""
        return self.frames > 0 and self.frames in (self.white_frames, self.clear_frames)

    def _count(self, rgb: Image.Image, alpha: tuple[int, int]) -> None:
        extrema = _extrema(rgb)
        if alpha[1] < CLEAR_ALPHA:
            self.clear_frames += 1
        elif max(high for _, high in extrema) <= BLACK_LEVEL:
            self.blank_frames += 1
        if min(low for low, _ in extrema) == 255:
            self.white_frames += 1
        for channel, (low, high) in enumerate(extrema):
            self._darkest[channel] = min(self._darkest[channel], low)
            self._brightest[channel] = max(self._brightest[channel], high)

    def _look_for_detail(self, rgb: Image.Image, data: bytes) -> None:
        if _contrast(rgb) < FLAT_LEVELS:  # small details vanish in the small picture: look again at the whole one
            rgb = _full(data).convert("RGB")
        self.detailed = _contrast(rgb) >= FLAT_LEVELS


def _full(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGBA").convert("RGB")


def _extrema(image: Image.Image) -> list[tuple[int, int]]:
    return [(int(low), int(high)) for low, high in image.getextrema()]


def _alpha_extrema(image: Image.Image) -> tuple[int, int]:
    if image.mode != "RGBA":
        return 255, 255
    return _extrema(image)[3]


def _contrast(image: Image.Image) -> int:
    return sum(high - low for low, high in _extrema(image))


def _mean_color(image: Image.Image) -> tuple[int, int, int]:
    red, green, blue = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    return int(red), int(green), int(blue)


def to_preview(image: Image.Image) -> bytes:
    """A square JPEG for live pages, whatever the picture's shape: they know it and stretch it back."""
    out = io.BytesIO()
    flatten(image).resize((PREVIEW_SIDE, PREVIEW_SIDE)).save(out, "JPEG", quality=60)
    return out.getvalue()


def flatten(image: Image.Image, color: tuple[int, int, int] = (0, 0, 0)) -> Image.Image:
    """RGB, with transparent parts on `color`."""
    if image.mode != "RGBA":
        return image if image.mode == "RGB" else image.convert("RGB")
    ground = Image.new("RGB", image.size, color)
    ground.paste(image, mask=image.getchannel("A"))
    return ground
