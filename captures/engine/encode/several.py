"""Several files of the same frames, side by side: every frame is decoded, flattened and shrunk once for all."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from captures.engine.encode.base import Encoder, Frame
from captures.engine.encode.ffmpeg import Mp4Encoder, PixelMp4Encoder
from captures.engine.encode.gif import GifEncoder
from captures.engine.encode.still import encode_still
from captures.engine.encode.webp import WebpEncoder
from captures.engine.spec import CaptureSpec, File, Format


@dataclass(slots=True)
class Part:
    """One output. An encoder has a thread of its own, so that a slow one does not hold the others up."""

    spec: CaptureSpec
    path: Path
    encoder: Encoder | None  # None: a still
    thread: ThreadPoolExecutor | None = None

    @property
    def moves(self) -> bool:
        return self.spec.always_moves


class SeveralEncoder(Encoder):
    """Feeds an encoder for each of the spec's outputs. At most two frames are held: one in work, one coming."""

    def __init__(self, spec: CaptureSpec, path: Path) -> None:
        super().__init__(spec, path)
        self.parts = [self._part(number) for number in range(len(spec.outputs))]
        self._first: Frame | None = None
        self._now: tuple[Frame, dict[tuple[int, int], Frame]] | None = None
        self._pending: list[Future[None]] = []

    def _part(self, number: int) -> Part:
        spec = self.spec.alone(self.spec.outputs[number])
        path = self.path.with_name(f"{self.path.stem}-{number}.{spec.format}")
        encoder = self._encoder(spec, path)
        threaded = encoder is not None and spec.format is not Format.MP4
        thread = ThreadPoolExecutor(1, thread_name_prefix=f"encode-{spec.format}") if threaded else None
        return Part(spec, path, encoder, thread)

    def _encoder(self, spec: CaptureSpec, path: Path) -> Encoder | None:
        if spec.format is Format.WEBP:
            return WebpEncoder(spec, path)
        if spec.format is Format.GIF:
            return GifEncoder(spec, path)
        if spec.format is Format.PNG:
            return None
        as_captured = self.spec.shot["format"] == "jpeg" and spec.pixel_size == self.spec.pixel_size
        return Mp4Encoder(spec, path) if as_captured else PixelMp4Encoder(spec, path)

    async def start(self) -> None:
        await asyncio.gather(*(part.encoder.start() for part in self.parts if part.encoder))

    def encode(self, frame: Frame) -> None:
        """Hands the frame to every encoder once they are done with the one before."""
        sized = self._sized(frame)
        self._settle()
        self._first = self._first or frame
        self._now = frame, sized
        for part in self.parts:
            if part.encoder is not None and part.thread is not None:
                self._pending.append(part.thread.submit(part.encoder.encode, sized[part.spec.pixel_size]))
        self.frames += 1

    def _sized(self, frame: Frame) -> dict[tuple[int, int], Frame]:
        sized: dict[tuple[int, int], Frame] = {}
        for size in {part.spec.pixel_size for part in self.parts if part.encoder}:
            sized[size] = frame if size == self.spec.pixel_size else frame.shrunk(size)
            if not self.spec.transparent:
                _ = sized[size].opaque  # here, before the threads all do it
        return sized

    def _settle(self) -> None:
        """Waits for the frame in work; raises what went wrong with it."""
        pending, self._pending = self._pending, []
        wait(pending)
        for job in pending:
            job.result()

    async def pipe(self, frame: Frame) -> None:
        assert self._now is not None and self._now[0] is frame
        sized = self._now[1]
        films = [part for part in self.parts if part.encoder and part.thread is None]
        await asyncio.gather(*(p.encoder.pipe(sized[p.spec.pixel_size]) for p in films if p.encoder))

    async def finish(self, still: bool = False) -> None:
        """`still`: the piece did not move, so that only films are made of all frames."""
        await asyncio.to_thread(self._settle)
        for part in self.parts:
            if part.encoder is not None and (part.moves or not still):
                await part.encoder.finish()
            else:
                if part.encoder is not None:
                    await part.encoder.abort()
                await asyncio.to_thread(self._write_still, part)
        self._end_threads()

    def _write_still(self, part: Part) -> None:
        assert self._first is not None
        size = part.spec.pixel_size
        shrinks = size != self.spec.pixel_size
        encode_still(part.spec, (self._first.shrunk(size) if shrinks else self._first).image, part.path)

    async def abort(self) -> None:
        await asyncio.to_thread(self._drop_pending)
        await asyncio.gather(*(part.encoder.abort() for part in self.parts if part.encoder))
        self._end_threads()

    def _drop_pending(self) -> None:
        for job in self._pending:
            job.cancel()
        wait(self._pending)

    def _end_threads(self) -> None:
        for part in self.parts:
            if part.thread is not None:
                part.thread.shutdown(wait=False)

    def files(self, still: bool) -> list[File]:
        """What has been written, in the order of the outputs."""
        return [self._file(part, still) for part in self.parts]

    def _file(self, part: Part, still: bool) -> File:
        width, height = part.spec.pixel_size
        if part.spec.format is Format.MP4:
            width, height = width + width % 2, height + height % 2
        moving = part.encoder is not None and (part.moves or not still)
        return File(part.path, part.spec.format, width, height, self.frames if moving else 1)
