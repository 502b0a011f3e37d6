"""A ZIP that is sent while its pictures are still being captured."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from django.http import JsonResponse

from captures.models import Grab, ScreenshotPreset
from captures.responses import settled
from captures.screenshots.requests import file_name
from oven.errors import Unavailable
from oven.http.errors import error
from oven.storage import stores
from oven.storage.models import Artifact

ERRORS = "errors.json"
COMPRESSION = 1  # PNG is compressed already; deflate, as a reader of the stream sees by itself where that ends


class ZipStream:
    """Entries become bytes to send at once. Sizes and checksums follow each entry, as nothing can be mended later."""

    def __init__(self) -> None:
        self._sink = _Sink()
        target: Any = self._sink
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION)

    async def add(self, name: str, artifact: Artifact) -> AsyncIterator[bytes]:
        """Raises OSError before the first byte when the file cannot be read."""
        info = zipfile.ZipInfo(name, artifact.created_at.timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        chunks = stores.stream(artifact.store, artifact.key)
        chunk: bytes | None = await anext(chunks)
        with self._zip.open(info, "w") as entry:
            while chunk is not None:
                await asyncio.to_thread(entry.write, chunk)
                yield self._sink.take()
                chunk = await anext(chunks, None)
        yield self._sink.take()

    def text(self, name: str, text: str) -> bytes:
        self._zip.writestr(name, text)
        return self._sink.take()

    def end(self) -> bytes:
        self._zip.close()
        return self._sink.take()


class _Sink:
    """A file that can only be written to; what has come in is taken away."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        data, self._parts = b"".join(self._parts), []
        return data


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of the archive, which may still be in the queue."""

    preset: ScreenshotPreset
    grab: Grab
    cached: bool


@dataclass(slots=True)
class Archive:
    """Iterate over it for the ZIP's bytes: entries in the order in which their captures end."""

    piece: str
    shots: list[Shot]
    failed: list[dict[str, Any]] = field(default_factory=list)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        out = ZipStream()
        async for shot, outcome in _as_they_settle(self.shots):
            if isinstance(outcome, JsonResponse):
                self._fail(shot, **json.loads(outcome.content))
                continue
            assert outcome.artifact is not None
            try:
                async for data in out.add(self._entry(shot), outcome.artifact):
                    yield data
            except (OSError, StopAsyncIteration):
                self._fail(shot, error="The picture could not be read from the store.", code="store")
        if self.failed:
            yield out.text(ERRORS, json.dumps({"piece": self.piece, "failed": self.failed}, indent=1))
        yield out.end()

    def _entry(self, shot: Shot) -> str:
        return f"{shot.preset.category}/{file_name(self.piece)}-{shot.preset.name}.png"

    def _fail(self, shot: Shot, **why: Any) -> None:
        self.failed.append({"preset": shot.preset.name, "grabId": shot.grab.public_id, **why})


async def _as_they_settle(shots: list[Shot]) -> AsyncIterator[tuple[Shot, Grab | JsonResponse]]:
    for shot in [shot for shot in shots if shot.cached]:
        yield shot, shot.grab
    waiting = {asyncio.create_task(settled(shot.grab)): shot for shot in shots if not shot.cached}
    try:
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield waiting.pop(task), _outcome(task)
    finally:
        for task in waiting:
            task.cancel()


def _outcome(task: asyncio.Task[Grab | JsonResponse]) -> Grab | JsonResponse:
    try:
        return task.result()
    except Unavailable as problem:
        return error(503, problem.message)
