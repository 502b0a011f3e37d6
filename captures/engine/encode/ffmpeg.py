"""MP4 by ffmpeg, frames through a pipe."""

from __future__ import annotations

import asyncio
import contextlib
from fractions import Fraction

from captures.engine.encode.base import Encoder, Frame, fitted
from captures.engine.errors import CaptureError, ErrorCode

FINISH_LIMIT_S = 30.0


class Mp4Encoder(Encoder):
    """H.264 that every browser plays: even sides, BT.709, index at the front."""

    _process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        try:
            self._process = await asyncio.create_subprocess_exec(
                *("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-probesize", "32"),
                *self._input_options(),
                *("-i", "-", "-an"),
                *self._output_options(),
                str(self.path),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
        except FileNotFoundError:
            raise CaptureError(ErrorCode.ENCODE, "ffmpeg is not installed: run bin/oven setup.") from None

    async def pipe(self, frame: Frame) -> None:
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(self._bytes(frame))
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise await self._failure() from None
        self.frames += 1

    async def finish(self) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.close()
        try:
            _, stderr = await asyncio.wait_for(self._process.communicate(), FINISH_LIMIT_S)
        except TimeoutError:
            await self.abort()
            raise CaptureError(ErrorCode.ENCODE, f"ffmpeg did not finish within {FINISH_LIMIT_S:g} s.") from None
        if self._process.returncode or not self.path.exists():
            raise _error(stderr)

    async def abort(self) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _failure(self) -> CaptureError:
        assert self._process is not None and self._process.stderr is not None
        stderr = await self._process.stderr.read()
        await self.abort()
        return _error(stderr)

    @property
    def rate(self) -> str:
        return str(Fraction(self.spec.playback_fps).limit_denominator(1001))

    def _input_options(self) -> list[str]:
        return ["-f", "mjpeg", "-r", self.rate]

    def _bytes(self, frame: Frame) -> bytes:
        return frame.data

    def _output_options(self) -> list[str]:
        width, height = self.spec.pixel_size
        color = "out_color_matrix=bt709:out_range=tv"
        return [
            *("-vf", f"scale={width}:{height}:flags=neighbor:{color},pad=ceil(iw/2)*2:ceil(ih/2)*2"),
            *("-c:v", "libx264", "-preset", "veryfast", "-crf", str(crf(self.spec.quality)), "-pix_fmt", "yuv420p"),
            *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"),
            *("-video_track_timescale", "90000", "-movflags", "+faststart", "-f", "mp4"),
        ]


class PixelMp4Encoder(Mp4Encoder):
    """The same from decoded pixels: where other encoders need these anyway, ffmpeg need not decode again."""

    def _input_options(self) -> list[str]:
        width, height = self.spec.pixel_size
        return ["-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{width}x{height}", "-framerate", self.rate]

    def _bytes(self, frame: Frame) -> bytes:
        return fitted(frame.opaque, self.spec.pixel_size).tobytes()


def crf(quality: int) -> int:
    """x264's rate factor for a quality of 1 to 100 (80 is 20, visually clean)."""
    return round(40 - quality / 4)


def _error(stderr: bytes) -> CaptureError:
    text = stderr.decode(errors="replace").strip().splitlines()
    return CaptureError(ErrorCode.ENCODE, f"ffmpeg failed: {text[-1][:200] if text else 'no reason given'}")
