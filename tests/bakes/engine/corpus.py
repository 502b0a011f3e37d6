"""Hostile tapes: for each a way to build it, the code it must end with, and what the sentence must name.

for name, hostile in HOSTILE.items():
    hostile.build(path)
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bakes.engine.errors import ErrorCode
from tests.bakes.engine.lying_zip import MB, Zip, deflated, fake_png, good
from tests.bakes.engine.tapes import listed, png, wav_header

HTML = b"<!doctype html><title>404</title><p>not found</p>"


@dataclass(frozen=True)
class Hostile:
    build: Callable[[Path], object]
    code: ErrorCode
    names: str  # must be in the message


HOSTILE: dict[str, Hostile] = {}


def hostile(code: ErrorCode, names: str) -> Callable[[Callable[[Path], object]], Callable[[Path], object]]:
    def add(build: Callable[[Path], object]) -> Callable[[Path], object]:
        HOSTILE[build.__name__] = Hostile(build, code, names)
        return build

    return add


def simple(key: str, code: ErrorCode, names: str, member: str, data: bytes) -> None:
    """A tape with one good frame and one more member."""

    def build(path: Path) -> None:
        with Zip(path) as file:
            file.add("frame-00000.png", png())
            file.add(member, data)

    HOSTILE[key] = Hostile(build, code, names)


# What is no ZIP, or only a part of one


@hostile(ErrorCode.NOT_A_ZIP, "empty")
def empty_file(path: Path) -> None:
    path.write_bytes(b"")


@hostile(ErrorCode.NOT_A_ZIP, "not a ZIP")
def html_instead_of_zip(path: Path) -> None:
    path.write_bytes(HTML * 100)


@hostile(ErrorCode.ZIP_TOO_LARGE, "268,435,456")
def file_of_300_mb(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(300 * MB)  # sparse


def cut(path: Path, keep: Callable[[int, int], int]) -> None:
    with Zip(path) as file:
        good(file)
        lists = len(file.lists)
    data = path.read_bytes()
    path.write_bytes(data[: keep(len(data), lists)])


@hostile(ErrorCode.TRUNCATED, "cut off")
def cut_in_last_record(path: Path) -> None:
    cut(path, lambda size, _: size - 5)


@hostile(ErrorCode.TRUNCATED, "cut off")
def cut_in_list(path: Path) -> None:
    cut(path, lambda size, lists: size - 22 - lists // 2)


@hostile(ErrorCode.TRUNCATED, "cut off")
def cut_in_frames(path: Path) -> None:
    cut(path, lambda size, lists: (size - lists) // 2)


@hostile(ErrorCode.TRUNCATED, "frame-00003.png")
def frame_reaches_beyond_the_data(path: Path) -> None:
    with Zip(path) as file:
        good(file, 3).add("frame-00003.png", png(), listed_packed=5 * MB, size=5 * MB)


# The list of members


def many(file: Zip, count: int) -> Zip:
    for index in range(count):
        file.add(f"m{index}", b"")
    return file


@hostile(ErrorCode.TOO_MANY_MEMBERS, "100,000")
def hundred_thousand_members(path: Path) -> None:
    many(Zip(path), 100_000).finish_64()


@hostile(ErrorCode.DIRECTORY, "2,097,152")
def hundred_thousand_members_said_to_be_three(path: Path) -> None:
    many(Zip(path), 100_000).finish(count=3)


@hostile(ErrorCode.TOO_MANY_MEMBERS, "4,010")
def five_thousand_members_said_to_be_three(path: Path) -> None:
    many(Zip(path), 5_000).finish(count=3)


@hostile(ErrorCode.TOO_MANY_MEMBERS, "4,010")
def zip64_count_of_quadrillions(path: Path) -> None:
    good(Zip(path)).finish_64(count=1 << 50)


@hostile(ErrorCode.DIRECTORY, "large-file record")
def zip64_record_elsewhere(path: Path) -> None:
    good(Zip(path)).finish_64(locator=1 << 60)


@hostile(ErrorCode.UNPACKED_TOO_LARGE, "1,073,741,824")
def zip64_size_of_exabytes(path: Path) -> None:
    with Zip(path) as file:
        extra = struct.pack("<2HQ", 1, 8, 1 << 60)
        good(file).add("notes.txt", packed=deflated(10)[0], size=0xFFFFFFFF, extra=extra)


@hostile(ErrorCode.DIRECTORY, "large-file field")
def zip64_field_missing(path: Path) -> None:
    with Zip(path) as file:
        good(file).add("notes.txt", packed=deflated(10)[0], size=0xFFFFFFFF)


@hostile(ErrorCode.DIRECTORY, "claims 9 members")
def count_too_high(path: Path) -> None:
    good(Zip(path)).finish(count=9)


@hostile(ErrorCode.DIRECTORY, "is not where")
def bytes_before_the_archive(path: Path) -> None:
    with Zip(path) as file:
        good(file)
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())


@hostile(ErrorCode.DIRECTORY, "is not where")
def second_ending_in_the_comment(path: Path) -> None:
    """Readers that search from the end find one list of members, those that search from the start another."""
    fake = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 60, 0, 0)
    good(Zip(path)).finish(comment=b"x" * 100 + fake)


@hostile(ErrorCode.DIRECTORY, "one part of several")
def part_of_several_disks(path: Path) -> None:
    good(Zip(path)).finish(disk=3)


@hostile(ErrorCode.DIRECTORY, "calls itself")
def two_names_for_one_member(path: Path) -> None:
    with Zip(path) as file:
        good(file).add("frame-00004.png", png(), local_name=b"frame-00009.png")


@hostile(ErrorCode.DIRECTORY, "frame-00004.png")
def member_is_elsewhere(path: Path) -> None:
    with Zip(path) as file:
        good(file)
        file.add("frame-00004.png", png(), offset=file.file.tell() + 1, listed_packed=4, size=4)


@hostile(ErrorCode.OVERLAP, "share the same bytes")
def members_over_each_other(path: Path) -> None:
    """The kind of bomb that repeats one compressed kernel under many names."""
    with Zip(path) as file:
        packed, crc = deflated(30 * MB, png())
        size = 30 * MB + len(png())
        file.add("frame-00000.png", packed=packed, crc=crc, size=size)
        for index in range(1, 30):
            file.add(
                f"frame-{index:05d}.png", packed=packed[:1], listed_packed=len(packed), crc=crc, size=size, offset=0
            )


# Names, links, kinds of members

BAD_NAMES: dict[str, str] = {
    "climbs_out": "../frame-00001.png",
    "climbs_out_in_the_middle": "a/../../b.png",
    "climbs_out_with_backslashes": "..\\..\\b.png",
    "climbs_out_in_full_width": "．．／b.png",
    "absolute": "/etc/cron.d/oven",
    "absolute_with_backslash": "\\server\\share",
    "drive_letter": "C:frame.png",
    "zero_byte_in_name": "frame-00001.png\0.txt",
    "empty_name": "",
}
for key, bad_name in BAD_NAMES.items():
    simple(key, ErrorCode.MEMBER_NAME, "name", bad_name, b"x")


@hostile(ErrorCode.MEMBER_NAME, "not valid text")
def name_is_no_text(path: Path) -> None:
    with Zip(path) as file:
        good(file).add(b"\xff\xfe.png", b"x", flags=0x800)


@hostile(ErrorCode.LINK, "frame-00004.png")
def symbolic_link(path: Path) -> None:
    with Zip(path) as file:
        good(file).add("frame-00004.png", b"/etc/passwd", mode=0o120777)


@hostile(ErrorCode.LINK, "pipe")
def named_pipe(path: Path) -> None:
    with Zip(path) as file:
        good(file).add("pipe", b"", mode=0o010644)


@hostile(ErrorCode.DUPLICATE, "frame-00001.png")
def same_name_twice(path: Path) -> None:
    with Zip(path) as file:
        good(file).add("frame-00001.png", png())


@hostile(ErrorCode.DUPLICATE, "both frame 1")
def same_number_twice(path: Path) -> None:
    with Zip(path) as file:
        good(file).add("frame-1.png", png())


@hostile(ErrorCode.ENCRYPTED, "frame-00004.png")
def encrypted(path: Path) -> None:
    with Zip(path) as file:
        good(file).add("frame-00004.png", png(), flags=1)


@hostile(ErrorCode.ENCRYPTED, "frame-00004.png")
def encrypted_by_aes(path: Path) -> None:
    with Zip(path) as file:
        good(file).add("frame-00004.png", png(), method=99)


@hostile(ErrorCode.METHOD, "method 12")
def compressed_by_bzip2(path: Path) -> None:
    with Zip(path) as file:
        good(file).add("frame-00004.png", png(), method=12)


@hostile(ErrorCode.METHOD, "method 14")
def compressed_by_lzma(path: Path) -> None:
    with Zip(path) as file:
        good(file).add("frame-00004.png", png(), method=14)


# Sizes


@hostile(ErrorCode.FALSE_SIZE, "more than the 1,000 bytes")
def timing_bomb_said_to_be_small(path: Path) -> None:
    with Zip(path) as file:
        packed, crc = deflated(200 * MB, fill=b" ")
        good(file).add("timing.json", packed=packed, crc=crc, size=1000)


@hostile(ErrorCode.FALSE_SIZE, "more than the 5,000 bytes")
def frame_bomb_said_to_be_small(path: Path) -> None:
    with Zip(path) as file:
        packed, crc = deflated(200 * MB, png())
        file.add("frame-00000.png", packed=packed, crc=crc, size=5000)


@hostile(ErrorCode.FALSE_SIZE, "less than the")
def timing_said_to_be_larger(path: Path) -> None:
    data = json.dumps(listed([16] * 4)).encode()
    with Zip(path) as file:
        pack = zlib.compressobj(6, zlib.DEFLATED, -15)
        good(file).add("timing.json", data, packed=pack.compress(data) + pack.flush(), size=500_000)


@hostile(ErrorCode.FALSE_SIZE, "without being compressed")
def stored_frame_of_two_sizes(path: Path) -> None:
    with Zip(path) as file:
        file.add("frame-00000.png", png(), size=100 * MB)


@hostile(ErrorCode.FRAME_TOO_LARGE, "33,554,432")
def frame_of_40_mb(path: Path) -> None:
    with Zip(path) as file:
        packed, crc = deflated(40 * MB, png())
        good(file).add("frame-00004.png", packed=packed, crc=crc, size=40 * MB + len(png()))


@hostile(ErrorCode.RATIO, "200 times")
def frame_packed_a_thousandfold(path: Path) -> None:
    with Zip(path) as file:
        packed, crc = deflated(20 * MB, png())
        good(file).add("frame-00004.png", packed=packed, crc=crc, size=20 * MB + len(png()))


@hostile(ErrorCode.UNPACKED_TOO_LARGE, "1,073,741,824")
def forty_frames_of_30_mb(path: Path) -> None:
    with Zip(path) as file:
        packed, crc = deflated(30 * MB, png())
        for index in range(40):
            file.add(f"frame-{index:05d}.png", packed=packed, crc=crc, size=30 * MB + len(png()))


@hostile(ErrorCode.DAMAGED, "checksum")
def timing_with_a_wrong_checksum(path: Path) -> None:
    with Zip(path) as file:
        good(file).add("timing.json", json.dumps(listed([16] * 4)).encode(), crc=1)


@hostile(ErrorCode.DAMAGED, "compressed data")
def timing_with_broken_compression(path: Path) -> None:
    with Zip(path) as file:
        good(file).add("timing.json", packed=b"\xff" * 50, size=100)


# Frames


@hostile(ErrorCode.NO_FRAMES, "no frames")
def no_frames(path: Path) -> None:
    with Zip(path) as file:
        file.add("timing.json", b"[]")


@hostile(ErrorCode.NO_FRAMES, "no frames")
def no_members(path: Path) -> None:
    Zip(path).finish()


@hostile(ErrorCode.NO_FRAMES, "no frames")
def zip_in_a_zip(path: Path) -> None:
    with Zip(path) as inner:
        good(inner)
    data = path.read_bytes()
    with Zip(path) as file:
        file.add("tape.zip", data)


@hostile(ErrorCode.NO_FRAMES, "no frames")
def frames_in_a_folder_only(path: Path) -> None:
    with Zip(path) as file:
        file.add("tape/", b"", mode=0o040755)
        file.add("tape/frame-00000.png", png())


@hostile(ErrorCode.FRAME_SIDE, "30000x30000")
def frame_of_30000_by_30000(path: Path) -> None:
    with Zip(path) as file:
        file.add("frame-00000.png", fake_png(30_000, 30_000))


@hostile(ErrorCode.FRAME_SIDE, "4,096")
def webp_of_16383_by_16383(path: Path) -> None:
    bits = (16_382 | 16_382 << 14).to_bytes(4, "little")
    with Zip(path) as file:
        file.add("frame-00000.webp", b"RIFF\x40\0\0\0WEBPVP8L\x30\0\0\0\x2f" + bits + bytes(40))


@hostile(ErrorCode.FRAME_NOT_PICTURE, "frame-00002.png")
def one_frame_is_html(path: Path) -> None:
    with Zip(path) as file:
        good(file, 2).add("frame-00002.png", HTML)


@hostile(ErrorCode.FRAME_NOT_PICTURE, "frame-00000.png")
def every_frame_is_html(path: Path) -> None:
    with Zip(path) as file:
        for index in range(5):
            file.add(f"frame-{index:05d}.png", HTML)


@hostile(ErrorCode.FRAME_NOT_PICTURE, "PNG or WebP")
def frame_is_a_script_of_postscript(path: Path) -> None:
    with Zip(path) as file:
        file.add("frame-00000.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n")


@hostile(ErrorCode.FRAME_SIZE_CHANGED, "frame-00004.png")
def frames_change_size(path: Path) -> None:
    with Zip(path) as file:
        good(file).add("frame-00004.png", png(size=(50, 32)))


@hostile(ErrorCode.FRAME_BROKEN, "first frame")
def first_frame_is_cut_off(path: Path) -> None:
    with Zip(path) as file:
        file.add("frame-00000.png", png()[:-30])
        file.add("frame-00001.png", png())


@hostile(ErrorCode.FRAME_BROKEN, "of 40 frames")
def many_frames_are_cut_off(path: Path) -> None:
    with Zip(path) as file:
        for index in range(40):
            file.add(f"frame-{index:05d}.png", png(index)[: -30 if index % 8 == 5 else None])


@hostile(ErrorCode.FRAME_BROKEN, "first frame")
def first_frame_is_only_a_header(path: Path) -> None:
    with Zip(path) as file:
        file.add("frame-00000.png", fake_png(4000, 4000))


@hostile(ErrorCode.VIDEO_TOO_LARGE, "17,179,869,184")
def thousands_of_huge_frames(path: Path) -> None:
    with Zip(path) as file:
        for index in range(3000):
            file.add(f"frame-{index:05d}.png", fake_png(4096, 4096))


# Times

BAD_TIMES: dict[str, tuple[bytes, str]] = {
    "duration_is_nan": (b'[{"duration": NaN}]', "NaN"),
    "duration_is_infinite": (b'[{"duration": Infinity}]', "Infinity"),
    "duration_overflows": (b'[{"duration": 1e999}]', "entry 0"),
    "duration_is_negative": (b'[{"duration": -16.7}]', "-16.7"),
    "duration_is_zero": (b'[{"duration": 0}]', "entry 0"),
    "duration_is_text": (b'[{"duration": "16.7"}]', "not a number"),
    "duration_is_missing": (b'[{"frame": 0}]', "missing"),
    "duration_of_ten_thousand_digits": (b'[{"duration": ' + b"9" * 10_000 + b"}]", "JSON"),
    "timing_is_html": (HTML, "JSON"),
    "timing_is_empty": (b"", "JSON"),
    "timing_is_a_number": (b"16.7", "neither"),
    "timing_is_nested_without_end": (b"[" * 500_000, "JSON"),
    "timing_is_a_list_of_numbers": (b"[16.7]", "not an object"),
}
for key, (content, names) in BAD_TIMES.items():
    simple(key, ErrorCode.TIMING_BROKEN, names, "timing.json", content)

simple("timing_without_entries", ErrorCode.TIMING_MISMATCH, "1 have no entry", "timing.json", b"[]")
simple(
    "timing_of_other_frames",
    ErrorCode.TIMING_MISMATCH,
    "49 entries",
    "timing.json",
    json.dumps(listed([9] * 50)).encode(),
)
simple("timing_of_an_hour", ErrorCode.VIDEO_TOO_LONG, "120 s", "timing.json", b'[{"duration": 3600000}]')


@hostile(ErrorCode.TIMING_TOO_LARGE, "1,048,576")
def timing_of_200_mb(path: Path) -> None:
    with Zip(path) as file:
        packed, crc = deflated(200 * MB, b"[", b" ")
        good(file).add("timing.json", packed=packed, crc=crc, size=200 * MB + 1)


# Sound

BAD_SOUNDS: dict[str, tuple[bytes, str]] = {
    "sound_is_html": (HTML, "not a WAV"),
    "sound_is_empty": (b"", "not a WAV"),
    "sound_is_cut_off_in_its_header": (wav_header(1000)[:30], "cut off"),
    "sound_without_samples_chunk": (wav_header(1000)[:36], "before its samples begin"),
    "sound_of_no_channels": (wav_header(1000, channels=0), "make no sense"),
    "sound_of_60000_channels": (wav_header(1000, channels=4000), "make no sense"),
    "sound_at_no_rate": (wav_header(1000, rate=0), "make no sense"),
    "sound_of_a_kind_unknown": (wav_header(1000, kind=85), "kind 85"),
    "sound_of_chunks_without_end": (wav_header(0)[:36] + b"junk\0\0\0\0" * 1000, "100 chunks"),
    "sound_samples_are_no_numbers": (wav_header(80_000, bits=32, kind=3) + b"\0\0\xc0\x7f" * 20_000, "not numbers"),
}
for key, (content, names) in BAD_SOUNDS.items():
    simple(key, ErrorCode.SOUND_BROKEN, names, "soundtrack.wav", content)

simple(
    "sound_said_to_last_3_hours",
    ErrorCode.SOUND_TOO_LONG,
    "126 s",
    "soundtrack.wav",
    wav_header(3 * 3600 * 48_000 * 4) + bytes(1000),
)


@hostile(ErrorCode.SOUND_TOO_LONG, "126 s")
def sound_of_3_hours(path: Path) -> None:
    """Silence of unknown length: half a gigabyte in half a megabyte."""
    header, size = wav_header(0xFFFFFFFF, rate=24_000), 3 * 3600 * 24_000 * 2
    with Zip(path) as file:
        packed, crc = deflated(size, header)
        good(file).add("soundtrack.wav", packed=packed, crc=crc, size=size + len(header))
