"""What the video shows: every kind of frame, its size, its colours, broken frames, the thumbnail."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from bakes.engine.decode import Decoder, to_image
from bakes.engine.enlarge import factor
from bakes.engine.errors import BakeError, ErrorCode
from bakes.engine.headers import BrokenPicture, Header, look
from bakes.engine.spec import BakeResult, TapeLimits
from tests.bakes.engine.tapes import SIZE, decoded, encoded, picture, png, probe, tape

Bake = Callable[..., BakeResult]
COLORS = [
    "#ff0000",
    "#00ff00",
    "#0000ff",
    "#ffff00",
    "#00ffff",
    "#ff00ff",
    "#ffffff",
    "#808080",
    "#000000",
    "#c04010",
]


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean distance of a pixel's channel, of 255."""
    return float(sum(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean) / 3)


def enlarged(image: Image.Image, times: int = 3) -> Image.Image:
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def test_file_is_what_browsers_play(baked: Bake, tmp_path: Path) -> None:
    result = baked(tape(tmp_path / "tape.zip", [png(i) for i in range(8)]))

    stream = probe(result.video, "stream")["streams"][0]
    wanted = {"codec_name": "h264", "pix_fmt": "yuv420p", "time_base": "1/90000", "start_pts": 0}
    colors = {"color_range": "tv", "color_space": "bt709", "color_transfer": "bt709", "color_primaries": "bt709"}
    assert {key: stream[key] for key in wanted | colors} == wanted | colors
    data = result.video.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert result.size == len(data)


def test_encoder_makes_key_frames_where_it_wants_and_works_on_whole_pictures(baked: Bake, tmp_path: Path) -> None:
    result = baked(tape(tmp_path / "tape.zip", [png(i) for i in range(40)]))

    packets = probe(result.video, "packet=flags")["packets"]
    assert [packet["flags"][0] for packet in packets] == ["K"] + ["_"] * 39
    assert b" sliced_threads=0 " in result.video.read_bytes()


@pytest.mark.parametrize("size", [(337, 160), (33, 31), (1, 1), (256, 256)])
def test_frames_are_enlarged_three_times_and_made_even(size: tuple[int, int], baked: Bake, tmp_path: Path) -> None:
    result = baked(tape(tmp_path / "tape.zip", [png(i, size) for i in range(3)]))

    assert (result.width, result.height) == tuple(side * 3 - side * 3 % 2 for side in size)
    stream = probe(result.video, "stream=width,height")["streams"][0]
    assert (stream["width"], stream["height"]) == (result.width, result.height)
    shown = decoded(result.video)[1]
    assert difference(shown, enlarged(picture(1, size)).crop((0, 0, *shown.size))) < 4


def test_flat_colors_come_out_as_they_went_in(baked: Bake, tmp_path: Path) -> None:
    frames = [Image.new("RGB", SIZE, color) for color in COLORS]
    result = baked(tape(tmp_path / "tape.zip", [encoded(frame) for frame in frames]), crf=8)

    for color, shown in zip(COLORS, decoded(result.video), strict=True):
        assert difference(shown, Image.new("RGB", shown.size, color)) < 2.5, color


def test_color_keeps_to_its_pixel_better_than_by_the_nearest_neighbour(baked: Bake, tmp_path: Path) -> None:
    """A pixel of the tape is nine of the video, which has one colour for four."""
    dice = random.Random(4)
    image = Image.new("RGB", SIZE)
    image.putdata([tuple(dice.choices(range(256), k=3)) for _ in range(SIZE[0] * SIZE[1])])
    ours = baked(tape(tmp_path / "tape.zip", [encoded(image)]), crf=5).video
    image.save(tmp_path / "frame.png")
    theirs = tmp_path / "nearest.mp4"
    scale = "scale=iw*3:ih*3:flags=neighbor:out_color_matrix=bt709:out_range=tv,format=yuv420p"
    command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "frame.png"), "-vf", scale, "-crf", "5", str(theirs)]
    subprocess.run(command, check=True)

    assert error(decoded(ours)[0], enlarged(image)) < 0.9 * error(decoded(theirs)[0], enlarged(image))


def error(one: Image.Image, other: Image.Image) -> float:
    """Root of the mean square, of 255."""
    return float(sum(ImageStat.Stat(ImageChops.difference(one, other)).rms) / 3)


KINDS = {
    "rgb": lambda: (picture(), {}),
    "rgba": lambda: (picture(mode="RGBA"), {}),
    "palette": lambda: (picture().quantize(8), {}),
    "gray": lambda: (picture().convert("L"), {}),
    "gray and alpha": lambda: (picture().convert("LA"), {}),
    "black and white": lambda: (picture().convert("1"), {}),
    "16-bit gray": lambda: (Image.new("I;16", SIZE, 0x8000), {}),
    "half clear": lambda: (Image.new("RGBA", SIZE, (200, 100, 50, 128)), {}),
    "clear color": lambda: (picture(), {"transparency": (0x20, 0x40, 0x80)}),
    "clear palette entry": lambda: (picture().quantize(8), {"transparency": 0}),
}


def on_black(image: Image.Image) -> Image.Image:
    ground = Image.new("RGBA", image.size, "black")
    ground.alpha_composite(image.convert("RGBA"))
    return ground.convert("RGB")


@pytest.mark.parametrize("kind", KINDS)
def test_png_of_every_kind_is_shown_on_black(kind: str) -> None:
    image, options = KINDS[kind]()
    data = encoded(image, **options)

    shown = to_image(Decoder().decode(data, SIZE))

    if kind == "16-bit gray":
        assert shown.getpixel((5, 5)) == (0x80, 0x80, 0x80)
    else:
        reread = Image.open(io.BytesIO(data))
        assert difference(shown, on_black(reread)) <= 1


def sixteen_bit_rgb(width: int, height: int, value: tuple[int, int, int]) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    row = b"\0" + struct.pack(">3H", *value) * width
    head = struct.pack(">2L5B", width, height, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(row * height)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_sixteen_bits_a_channel_are_reduced_to_eight() -> None:
    shown = to_image(Decoder().decode(sixteen_bit_rgb(*SIZE, (0xC000, 0x4000, 0x1000)), SIZE))
    assert shown.getpixel((9, 9)) == pytest.approx((0xC0, 0x40, 0x10), abs=1)


def test_frames_do_not_shine_through_each_other() -> None:
    decoder = Decoder()
    for index in (0, 20, 3):
        assert difference(to_image(decoder.decode(png(index), SIZE)), picture(index)) == 0


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 90}])
def test_webp_frames_are_shown_like_png(options: dict[str, object], baked: Bake, tmp_path: Path) -> None:
    frames = [encoded(picture(index, mode="RGBA"), "webp", **options) for index in range(0, 40, 8)]
    result = baked(tape(tmp_path / "tape.zip", frames, name="frame-{:05d}.webp".format))

    shown = decoded(result.video)
    assert len(shown) == 5
    assert difference(shown[3], enlarged(picture(24))) < 6


def test_kinds_of_frames_may_mix_and_names_need_not_tell_the_kind(baked: Bake, tmp_path: Path) -> None:
    frames = [png(0), encoded(picture(8, mode="RGBA"), "webp"), encoded(picture(16, mode="RGBA")), png(24)]
    shown = decoded(baked(tape(tmp_path / "tape.zip", frames)).video)

    assert [difference(image, enlarged(picture(index * 8))) < 6 for index, image in enumerate(shown)] == [True] * 4


def test_frames_are_ordered_by_number_and_other_members_ignored(baked: Bake, tmp_path: Path) -> None:
    others = {"__MACOSX/._frame-0.png": b"x", "frame-a.png": b"x", "notes.txt": b"x", "tape/frame-3.png": b"x"}
    path = tape(tmp_path / "tape.zip", [png(i) for i in range(12)], name="frame-{}.png".format, extra=others)

    shown = decoded(baked(path).video)

    assert len(shown) == 12
    assert [difference(image, enlarged(picture(index))) < 5 for index, image in enumerate(shown)] == [True] * 12


@pytest.mark.exhaustive("the longest tape of test_bake.py has as many")
def test_four_thousand_frames_are_baked(baked: Bake, tmp_path: Path) -> None:
    frames = [png(index // 40, (16, 16)) for index in range(3999)]
    timing = [{"duration": 20} for _ in frames]

    result = baked(tape(tmp_path / "tape.zip", frames, timing), preset="ultrafast")

    assert result.frames == 3999 and result.duration_ms == pytest.approx(3999 * 20, abs=0.1)
    assert probe(result.video, "stream=nb_frames")["streams"][0]["nb_frames"] == "3999"


BROKEN = {
    "cut off": lambda: png(9)[:-30],
    "cut off in its header": lambda: png(9)[:20],
    "empty": lambda: b"",
    "wrong checksum": lambda: png(9)[:60] + b"\0\0\0" + png(9)[63:],
    "webp cut off": lambda: encoded(picture(9), "webp")[:50],
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_middle_frame_shows_the_one_before_and_is_noted(how: str, baked: Bake, tmp_path: Path) -> None:
    frames = [png(0), png(20), BROKEN[how](), png(30)]
    result = baked(tape(tmp_path / "tape.zip", frames))

    shown = decoded(result.video)
    assert difference(shown[2], enlarged(picture(20))) < 5
    assert difference(shown[3], enlarged(picture(30))) < 5
    assert result.repaired == 1 and "frame-00002.png" in result.notes[0]
    assert result.thumbnail is not None and not result.thumbnail_error


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_picture_is_never_decoded_in_part(how: str) -> None:
    with pytest.raises(BrokenPicture):
        Decoder().decode(BROKEN[how](), SIZE)


def test_thumbnail_is_the_middle_frame_in_a_black_square(baked: Bake, tmp_path: Path) -> None:
    result = baked(tape(tmp_path / "tape.zip", [png(i * 8) for i in range(5)]))

    assert result.thumbnail is not None
    thumbnail = Image.open(result.thumbnail)
    assert (thumbnail.format, thumbnail.size) == ("JPEG", (512, 512))
    assert thumbnail.getpixel((256, 20)) == (0, 0, 0)
    inside = thumbnail.crop((0, 86, 512, 426))
    assert difference(inside, picture(16).resize(inside.size, Image.Resampling.NEAREST)) < 6


def test_a_thumbnail_that_cannot_be_written_does_not_fail_the_bake(baked: Bake, tmp_path: Path) -> None:
    (tmp_path / "scratch" / "thumb.jpg").mkdir()

    result = baked(tape(tmp_path / "tape.zip", [png()]))

    assert result.thumbnail is None and result.thumbnail_error and result.size > 0


def test_large_frames_are_enlarged_by_less() -> None:
    limits = TapeLimits()
    sizes = {
        (256, 256): 3,
        (640, 640): 3,
        (1024, 1024): 3,
        (1025, 1024): 2,
        (1366, 768): 2,
        (2048, 100): 2,
        (4096, 4096): 1,
    }
    assert {size: factor(*size, 100, 3, limits) for size in sizes} == sizes
    assert factor(640, 640, 4000, 3, limits) == 3


def test_more_pixels_than_anyone_can_wait_for_are_refused() -> None:
    with pytest.raises(BakeError) as caught:
        factor(4096, 4096, 2000, 3, TapeLimits())
    assert caught.value.code is ErrorCode.VIDEO_TOO_LARGE


def test_less_enlarging_is_noted(baked: Bake, tmp_path: Path) -> None:
    result = baked(tape(tmp_path / "tape.zip", [png(0, (2000, 16))]))

    assert (result.enlarged, result.width, result.height) == (2, 4000, 32)
    assert "2 times instead of 3" in result.notes[0]


@pytest.mark.parametrize("kind", ["VP8 ", "VP8L", "VP8X"])
def test_size_is_read_from_every_kind_of_webp(kind: str) -> None:
    image = picture(size=(337, 160), mode="RGBA" if kind == "VP8X" else "RGB")
    if kind == "VP8X":
        image.putalpha(77)
    data = encoded(image, "webp", lossless=kind == "VP8L")

    assert data[12:16] == kind.encode()
    assert look(data[:64]) == Header("webp", 337, 160)
