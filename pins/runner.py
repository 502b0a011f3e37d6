"""What a worker does for a pin: one attempt to pin a file at a back-end."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from django.utils import timezone

from captures.models import Grab
from oven.egress.client import background
from oven.events import stream
from oven.jobs import lifecycle
from oven.jobs.context import JobContext
from oven.jobs.runner import JobRunner
from oven.jobs.states import State
from oven.storage import stores
from oven.storage.models import Artifact
from pins import caller_keys, services
from pins.ipfs import backends, cid
from pins.ipfs.backends import Content, PinError, Pinned
from pins.models import Keep, Pin

UNKEPT = timedelta(days=1)  # a copy whose pin was cancelled in the last moment goes by then
HTML = "text/html; charset=utf-8"


class PinRunner(JobRunner):
    """Compute the CID, pin, compare, store our own copy, then publish pin and keep in one transaction."""

    name = "pin"
    model = Pin
    pool = "deliver"
    timeout_s = 600
    max_concurrent = 4
    related = ("grab", "kept")
    search_field = "piece"
    can_requeue = True
    storage_prefixes = ("art:ipfs",)
    failures: ClassVar[tuple[type[Exception], ...]] = (PinError,)

    def work(self, context: JobContext, place: Path) -> None:
        pin: Pin = context.job
        source = _source(pin)
        content = self._content(context, pin, source, place)
        pinned = self._pin(context, pin, content)
        context.report("storing", 90, "Storing a copy")
        context.beat()  # the last check whether this attempt still counts
        kept = store_copy(content, pinned.cid, pin.format, source.mime, **_shape(source))
        context.job = lifecycle.finish(pin, context.spans, cid=pinned.cid, kept=kept, found=pinned.found)
        stream.log("success", f"{pin.piece}: pinned at {pin.backend} as {pinned.cid}")
        if grab := Grab.objects.select_related("artifact").filter(pk=pin.grab_id).first():
            stream.publish_job("job.ended", grab)  # its CID is shown

    def failed(self, context: JobContext, error: PinError) -> None:
        pin: Pin = context.job
        delay = backends.retry_delay(pin.attempt, error.retry_after_s)
        if self.fail(context, error.code, error.message, error.retry, delay).state == State.FAILED:
            stream.log("error", f"{pin.piece}: not pinned at {pin.backend}: {error.message}")
        else:
            stream.log("warn", f"{pin.piece}: {error.message} Next try in {delay.total_seconds():.0f} s.")

    def store_failed(self, context: JobContext) -> None:
        message = "The file could not be read from the store, or written to it."
        self.failed(context, PinError("store", message, retry=True))

    def requeue(self, job: Pin, *, user: Any = None, skip_cache: bool = False) -> Pin:
        return services.pin_again(job, user=user)

    def _content(self, context: JobContext, pin: Pin, source: Artifact, place: Path) -> Content:
        context.report("preparing", 10, "Computing the CID")
        path = place / "file"
        with self.timed(context, "prepare"):
            stores.copy_out(source, path)
            content = content_of(path, pin.filename)
        context.note(f"{path.stat().st_size} bytes, {content.wanted}")
        return content

    def _pin(self, context: JobContext, pin: Pin, content: Content) -> Pinned:
        held = caller_keys.take(pin)
        if pin.own_keys and held is None:
            raise PinError("keys_gone", "The keys came with a request that has ended; ask again with the keys.")
        backend = backends.get(pin.backend, held.keys if held else None)
        look_first = pin.attempt > 1 or known_at(pin.backend, content.sha256)
        Pin.objects.filter(pk=pin.pk).update(sha256=content.sha256)
        context.report("pinning", 40, f"Pinning at {pin.backend}")
        patience_s = held.until - time.monotonic() if held else 0.0  # nobody else could try again with these keys
        with self.timed(context, "pin"):
            pinned = context.wait(background(backends.pin_patiently(backend, content, look_first, patience_s)))
        context.note(f"{'found' if pinned.found else 'pinned'} at {pin.backend}: {pinned.cid}")
        return pinned


def _source(pin: Pin) -> Artifact:
    """The file: of the job that was named, or of the capture that was asked for along with it."""
    if pin.artifact:
        return pin.artifact
    grab = Grab.objects.select_related("artifact").filter(pk=pin.grab_id).first()
    if grab is None or grab.state != State.COMPLETE or grab.artifact is None:
        reason = (grab.error_message or f"it is {grab.get_state_display().lower()}.") if grab else "its row is gone."
        raise PinError("capture", f"The piece was not captured: {reason}", retry=bool(grab and grab.active))
    Pin.objects.filter(pk=pin.pk).update(artifact=grab.artifact)
    return grab.artifact


def content_of(path: Path, filename: str) -> Content:
    return Content(path, filename, stores.digest(path), cid.of_file(path))


def known_at(backend: str, sha256: str) -> bool:
    """Whether this content has been sent there before, with or without success: then it is looked for first."""
    return any(model._default_manager.filter(sha256=sha256, backend=backend).exists() for model in (Keep, Pin))


def store_copy(content: Content, pinned_cid: str, format_: str, mime: str, **facts: Any) -> Artifact:
    """Moves the file under its CID: a copy of our own, which stays once there is a keep of it. Raises StoreError."""
    mime = HTML if format_ == "html" else mime
    key = f"ipfs/{pinned_cid}.{format_}"
    return stores.keep(content.path, key, mime, expires_at=timezone.now() + UNKEPT, **facts)


def _shape(source: Artifact) -> dict[str, Any]:
    return {name: getattr(source, name) for name in ("width", "height", "frames")}
