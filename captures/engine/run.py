"""One capture on one page: open, load, ready, settle, frames into the encoder, judgement."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from captures.engine.cdp import CdpError
from captures.engine.encode import Encoder, Frame, SeveralEncoder, encode_poster, encode_still, encoder_for
from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.look import Look, to_preview
from captures.engine.pace import Pacer
from captures.engine.page import Region, capture_region, cropped, enlarge_viewport, find_region, interact
from captures.engine.ready import settle, wait_ready
from captures.engine.spec import (
    CaptureResult,
    CaptureSpec,
    CaptureWarning,
    File,
    Format,
    Mode,
    OnProgress,
    Progress,
    Ready,
    WarningCode,
)
from captures.engine.warnings import warnings_of

T = TypeVar("T")

PREVIEW_EVERY_S = 0.25
QUEUE_FRAMES = 6  # between capture and encoder: enough to overlap, little to hold
LAST_FRAME_LIMIT_S = 1.5
LAST_LOOK_MS = 100
LOADING_SHOT = {"format": "jpeg", "quality": 50, "optimizeForSpeed": True}


class Run:
    """The course of one capture with one pacer. A run that fails leaves its last frame and no process behind."""

    def __init__(self, spec: CaptureSpec, pacer: Pacer, scratch: Path, report: OnProgress) -> None:
        self.spec, self.pacer, self.report = spec, pacer, report
        self.path = scratch / f"capture-{pacer.mode}.{spec.format}"
        self.spans: dict[str, int] = {}
        self.look = Look()
        self.first = Frame(b"")
        self.last: bytes = b""
        self.was_ready = False
        self._previewed = 0.0
        self._region: Region | None = None  # the part of the page that is captured
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="look")

    async def __call__(self) -> CaptureResult:
        encoder = None if self.spec.page.crops else self._encoder()
        try:
            await self._load()
            ready, ready_ms = await self._ready()
            if self._region:
                self.spec = self.spec.sized(self._region.width, self._region.height)
                encoder = self._encoder()
            await self._frames(encoder)
            await self._refuse_undrawn()
            return await self._conclude(encoder, ready, ready_ms)
        except CaptureError as error:
            error.last_frame = self.last or await self._last_picture()
            error.spans = self.spans
            raise
        finally:
            if encoder is not None:
                await encoder.abort()
            self._thread.shutdown(wait=False)

    def _encoder(self) -> Encoder | None:
        wanted = self.pacer.mode is not Mode.STILL or self.spec.outputs
        return encoder_for(self.spec, self.path) if wanted else None

    async def _load(self) -> None:
        self.report(Progress("loading", 5, "Opening the page"))
        with self._span("load"):
            await self.pacer.goto()

    async def _ready(self) -> tuple[Ready, int]:
        with self._span("ready"):
            found = await wait_ready(self.pacer, self._loading)
            self.was_ready = True
            await interact(self.pacer)
            self.report(Progress("settling", 28, f"Settling for {self.spec.settle_wait_ms} ms"))
            await settle(self.pacer, found[1])
            if self.spec.page.crops:
                found_at = await find_region(self.pacer)
                self._region = await enlarge_viewport(self.pacer, found_at) if self._animated else found_at
            await self.pacer.hold()
        return found

    async def _loading(self, age_ms: float, picture: bytes | None) -> dict[str, Any] | None:
        """Report a step of loading. A preview is a picture of a step that the page makes anyway."""
        percent = 5 + int(20 * min(1.0, age_ms / self.spec.ready_limit_ms))
        detail = f"Waiting for the piece, {age_ms / 1000:.1f} of {self.spec.ready_limit_ms / 1000:g} s"
        preview = None
        if picture:
            self.last = picture
            preview = await self._in_thread(_shrink, picture)
        self.report(Progress("loading", percent, detail, preview=preview))
        return LOADING_SHOT if self._preview_due() else None

    async def _frames(self, encoder: Encoder | None) -> None:
        """Capture and encoding overlap: the next frame is drawn while the last is looked at and encoded."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_FRAMES)
        with self._span("capture"):
            consumer = asyncio.create_task(self._consume(queue, encoder))
            producer = asyncio.create_task(self._produce(queue))
            try:
                await asyncio.wait({consumer, producer}, return_when=asyncio.FIRST_EXCEPTION)
                for task in (consumer, producer):
                    if task.done():
                        task.result()
            finally:
                for task in (consumer, producer):
                    task.cancel()
                await asyncio.gather(consumer, producer, return_exceptions=True)

    async def _produce(self, queue: asyncio.Queue[bytes | None]) -> None:
        for index in range(self._wanted):
            self.last = await self._frame(index)
            await queue.put(self.last)
        await queue.put(None)

    async def _frame(self, index: int) -> bytes:
        if self._region and not self._animated:
            return await capture_region(self.pacer, self._region)
        frame = await self.pacer.frame(index)
        if not self._region:
            return frame
        return await self._in_thread(cropped, frame, self._region.box(self.spec.scale))

    async def _consume(self, queue: asyncio.Queue[bytes | None], encoder: Encoder | None) -> None:
        if encoder is not None:
            await encoder.start()
        while (data := await queue.get()) is not None:
            frame = Frame(data)
            if not self.look.frames:
                self.first = frame if self._wanted == 1 else Frame(data)  # of an animation without its pixels
            preview = await self._in_thread(self._take, frame, encoder, self._preview_due())
            if encoder is not None:
                await encoder.pipe(frame)
            done = self.look.frames
            percent = 30 + round(50 * done / self._wanted)
            detail = f"Frame {done}/{self._wanted}"
            self.report(Progress("capturing", percent, detail, done, self._wanted, preview))

    def _take(self, frame: Frame, encoder: Encoder | None, preview: bool) -> bytes | None:
        """Encode a frame and look at it: both with the same pixels."""
        if encoder is not None:
            encoder.encode(frame)
        small = self.look.feed(frame.data, frame.image if self._wanted == 1 else frame.decoded)
        return to_preview(small) if preview else None

    async def _refuse_undrawn(self) -> None:
        """A page that shows white (or nothing) may have painted it, or have drawn nothing at all."""
        if not self.look.maybe_undrawn:
            return
        await self.pacer.tab.clear_background()
        shot = await self.pacer.picture(format="png", optimizeForSpeed=True)
        probe = Look()
        if shot is not None:
            await self._in_thread(probe.feed, shot)
        if shot is None or probe.clear_frames:
            errors = self.pacer.tab.evidence.errors
            why = f" Its first error: {errors[0]}" if errors else ""
            raise CaptureError(ErrorCode.BLANK, f"The page never drew anything.{why}")

    async def _conclude(self, encoder: Encoder | None, ready: Ready, ready_ms: int) -> CaptureResult:
        look, spec = self.look, self.spec
        reason = self._still_reason()
        with self._span("encode"):
            self.report(Progress("encoding", 85, f"Writing {', '.join(spec.formats)}", look.frames, self._wanted))
            files = await self._write(encoder, reason)
            poster = await self._in_thread(encode_poster, self.first)
        first = files[0]
        return CaptureResult(
            path=first.path,
            format=first.format,
            width=first.width,
            height=first.height,
            frames=first.frames,
            size=first.path.stat().st_size,
            mode=self.pacer.mode,
            ready=ready,
            ready_ms=ready_ms,
            poster=poster,
            still_reason=reason,
            flat_color=look.flat_color if look.flat else "",
            blank=look.blank,
            blank_frames=look.blank_frames,
            files=files,
            spans=self.spans,
            evidence=self.pacer.tab.evidence.as_dict(),
            warnings=[*warnings_of(self.pacer.tab, look), *self.pacer.warnings(), *self._cut()],
        )

    def _cut(self) -> list[CaptureWarning]:
        if not self._region or not self._region.cut_from:
            return []
        text = f"It is {self._region.cut_from} CSS pixels high: the picture ends after {self._region.height}."
        return [CaptureWarning(WarningCode.CUT, text)]

    async def _write(self, encoder: Encoder | None, reason: str) -> list[File]:
        spec = self.spec
        if isinstance(encoder, SeveralEncoder):
            await encoder.finish(still=bool(reason))
            return encoder.files(still=bool(reason))
        if encoder is not None and (not reason or spec.always_moves):
            await encoder.finish()
        else:
            if encoder is not None:
                await encoder.abort()  # before the still, or what it has buffered lands on top of that
            await self._in_thread(encode_still, spec, self.first.image, self.path)
        width, height = spec.pixel_size
        if spec.format is Format.MP4:
            width, height = width + width % 2, height + height % 2
        frames = 1 if reason and not spec.always_moves else self.look.frames
        return [File(self.path, spec.format, width, height, frames)]

    def _still_reason(self) -> str:
        if not self.spec.animated:
            return ""
        if self.pacer.mode is Mode.STILL:
            return "fallback"
        if not self.spec.still_allowed:
            return ""
        if self.look.flat and self.spec.frame_count > 1:
            return "flat"
        return "frozen" if self.look.frozen else ""

    @property
    def _wanted(self) -> int:
        return self.spec.frame_count if self._animated else 1

    @property
    def _animated(self) -> bool:
        return self.pacer.mode is not Mode.STILL and self.spec.animated

    async def _last_picture(self) -> bytes | None:
        """What the page shows at the moment of its failure, if it can still show anything."""
        with contextlib.suppress(CaptureError, TimeoutError, CdpError):
            async with asyncio.timeout(LAST_FRAME_LIMIT_S):
                await self.pacer.live(LAST_LOOK_MS)  # an error page needs a moment to show itself
                return await self.pacer.picture(format="jpeg", quality=60, optimizeForSpeed=True)
        return None

    def _preview_due(self) -> bool:
        now = time.monotonic()
        if now - self._previewed < PREVIEW_EVERY_S:
            return False
        self._previewed = now
        return True

    async def _in_thread(self, call: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    @contextlib.contextmanager
    def _span(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.spans[name] = self.spans.get(name, 0) + round((time.monotonic() - started) * 1000)


def _shrink(frame: bytes) -> bytes:
    return to_preview(Look().feed(frame))
