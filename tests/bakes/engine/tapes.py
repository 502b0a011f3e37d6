"""Good tapes of every kind, small enough for tests, and what to ask of the videos made of them."""

from __future__ import annotations

import io
import json
import math
import multiprocessing
import struct
import subprocess
import wave
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

SIZE = (48, 32)


def picture(index: int = 0, size: tuple[int, int] = SIZE, mode: str = "RGB") -> Image.Image:
    """Two flat colours; where they meet tells the index."""
    image = Image.new(mode, size, "#204080")
    image.paste("#e0a020", (0, 0, 1 + index % size[0], size[1]))
    return image


def encoded(image: Image.Image, kind: str = "png", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind.upper(), **options)
    return out.getvalue()


def png(index: int = 0, size: tuple[int, int] = SIZE) -> bytes:
    return encoded(picture(index, size))


def wav(path: Path, seconds: float, rate: int = 48_000, channels: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        samples = round(seconds * rate)
        tone = (int(9000 * math.sin(index / 20)) for index in range(min(rate, samples)))
        second = b"".join(struct.pack("<h", value) * channels for value in tone)
        file.writeframes((second * math.ceil(seconds))[: samples * 2 * channels])
    return path


def wav_header(data_bytes: int, rate: int = 48_000, channels: int = 2, bits: int = 16, kind: int = 1) -> bytes:
    block = channels * bits // 8
    description = struct.pack("<2H2L2H", kind, channels, rate, rate * block, block, bits)
    head = b"RIFF" + struct.pack("<L", 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<L", 16) + description
    return head + b"data" + struct.pack("<L", data_bytes)


def tape(
    path: Path,
    frames: Sequence[bytes],
    timing: object = None,
    sound: bytes | Path | None = None,
    name: Callable[[int], str] = "frame-{:05d}.png".format,
    extra: dict[str, bytes] | None = None,
) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for index, frame in enumerate(frames):
            file.writestr(name(index), frame)
        if timing is not None:
            file.writestr("timing.json", timing if isinstance(timing, bytes) else json.dumps(timing))
        if sound is not None:
            data = sound.read_bytes() if isinstance(sound, Path) else sound
            file.writestr("soundtrack.wav", data, zipfile.ZIP_DEFLATED)
        for member, data in (extra or {}).items():
            file.writestr(member, data)
    return path


def listed(durations: Sequence[float]) -> list[dict[str, object]]:
    """The list shape of timing.json."""
    return [{"frame": i, "filename": f"frame-{i:05d}.png", "duration": ms} for i, ms in enumerate(durations)]


def probe(video: Path, entries: str, stream: str = "v:0", *options: str) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-select_streams", stream, "-show_entries", entries, "-of", "json", *options]
    result = subprocess.run([*command, str(video)], capture_output=True, text=True, check=True)
    assert not result.stderr, result.stderr
    return dict(json.loads(result.stdout))


def frame_times_ms(video: Path) -> list[float]:
    return [frame["pts"] / 90 for frame in probe(video, "frame=pts")["frames"]]


def duration_ms(video: Path, stream: str = "v:0") -> float:
    found = probe(video, "stream=duration_ts,time_base", stream)["streams"][0]
    over, under = map(int, found["time_base"].split("/"))
    return float(found["duration_ts"]) * 1000 * over / under


def decoded(video: Path) -> list[Image.Image]:
    """Every frame as a player with good colour would show it."""
    size = probe(video, "stream=width,height")["streams"][0]
    width, height = size["width"], size["height"]
    convert = "scale=in_color_matrix=bt709:in_range=tv:out_range=pc:flags=accurate_rnd+full_chroma_int,format=rgb24"
    command = ["ffmpeg", "-v", "error", "-i", str(video), "-vf", convert, "-fps_mode", "passthrough"]
    raw = subprocess.run([*command, "-f", "rawvideo", "-"], capture_output=True, check=True).stdout
    step = width * height * 3
    return [Image.frombytes("RGB", (width, height), raw[at : at + step]) for at in range(0, len(raw), step)]


def in_child(work: Callable[[], Any]) -> tuple[Any, float]:
    """What `work` returns, run in a forked process, and by how many MB that process grew at its peak."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_report, args=(work, theirs))
    process.start()
    theirs.close()
    try:
        answer: tuple[Any, float] = ours.recv()
    finally:
        process.join(30)
    return answer


def _report(work: Callable[[], Any], pipe: Any) -> None:
    before = _memory_mb("VmRSS")
    result = work()
    pipe.send((result, _memory_mb("VmHWM") - before))


def _memory_mb(field: str) -> float:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(f"{field}:"))
