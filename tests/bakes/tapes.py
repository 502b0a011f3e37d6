"""Good tapes for tests, and what ffprobe says of videos."""

from __future__ import annotations

import io
import json
import math
import struct
import subprocess
import wave
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw


def write_tape(
    path: Path, frames: int = 60, size: tuple[int, int] = (64, 64), duration_ms: float = 1000 / 60, sound_s: float = 0
) -> None:
    """A dot that circles, as PNG frames with a list of times."""
    timing = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for index in range(frames):
            name = f"frame-{index:05d}.png"
            archive.writestr(name, picture(index, size))
            timing.append({"frame": index, "filename": name, "duration": duration_ms})
        archive.writestr("timing.json", json.dumps(timing))
        if sound_s:
            archive.writestr("soundtrack.wav", tone(sound_s))


def picture(index: int, size: tuple[int, int]) -> bytes:
    width, height = size
    image = Image.new("RGB", size, (24, 20, 48))
    x, y = (side * (0.5 + turn(index / 20) / 3) for side, turn in ((width, math.cos), (height, math.sin)))
    ImageDraw.Draw(image).ellipse((x - 8, y - 8, x + 8, y + 8), fill=(255, 128, 32))
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()


def tone(seconds: float, rate: int = 48_000) -> bytes:
    """A stereo WAV of two tones."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        one_second = b"".join(
            struct.pack("<hh", *(round(8000 * math.sin(2 * math.pi * hertz * at / rate)) for hertz in (440, 660)))
            for at in range(rate)
        )
        whole = one_second * math.ceil(seconds)
        file.writeframes(whole[: round(seconds * rate) * 4])
    return out.getvalue()


def sound_file(path: Path, seconds: float) -> None:
    path.write_bytes(tone(seconds))


@dataclass(frozen=True)
class Probed:
    width: int
    height: int
    frames: int
    video_s: float
    sound_s: float
    starts: list[float]  # of every frame, seconds


def probe(path: Path) -> Probed:
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_packets", str(path)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    streams = {stream["codec_type"]: stream for stream in found["streams"]}
    packets = [packet for packet in found["packets"] if packet["codec_type"] == "video"]
    return Probed(
        width=streams["video"]["width"],
        height=streams["video"]["height"],
        frames=len(packets),
        video_s=float(streams["video"]["duration"]),
        sound_s=float(streams["audio"]["duration"]) if "audio" in streams else 0.0,
        starts=sorted(float(packet["pts_time"]) for packet in packets),
    )
