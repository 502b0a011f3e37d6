"""One try to pin a file. Imported by workers, and by the process that pins with a caller's keys."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from captures.models import Grab
from oven.egress.client import background
from oven.events import stream
from oven.jobs import lifecycle, scratch
from oven.jobs.context import Execution
from oven.jobs.states import State
from oven.storage import stores
from oven.storage.models import Artifact
from pins import caller_keys
from pins.ipfs import backends, cid
from pins.ipfs.backends import Content, PinError, Pinned
from pins.models import Keep, Pin

UNKEPT = timedelta(days=1)  # a copy whose pin was cancelled in the last moment goes by then
HTML = "text/html; charset=utf-8"


def run(execution: Execution) -> None:
    """Computes the CID, pins, compares, stores our own copy, then publishes pin and keep in one transaction."""
    pin: Pin = execution.job
    try:
        with scratch.directory(pin) as place:
            source = _source(pin)
            content = _content(execution, pin, source, place)
            pinned = _pin(execution, pin, content)
            execution.report("storing", 90, "Storing a copy")
            execution.beat()  # the last look whether this attempt still counts
            kept = store_copy(content, pinned.cid, pin.format, source.mime, **_shape(source))
        execution.job = lifecycle.finish(pin, execution.spans, cid=pinned.cid, kept=kept, found=pinned.found)
    except PinError as error:
        _fail(execution, error)
        return
    except stores.StoreError as error:
        execution.note(f"store: {error}")
        _fail(
            execution, PinError("store", "The file could not be read from the store, or written to it.", retry=True)
        )
        return
    stream.log("success", f"{pin.piece}: pinned at {pin.backend} as {pinned.cid}")
    if grab := Grab.objects.select_related("artifact").filter(pk=pin.grab_id).first():
        stream.publish_job("job.ended", grab)  # its CID is shown


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


def _content(execution: Execution, pin: Pin, source: Artifact, place: Path) -> Content:
    execution.report("preparing", 10, "Computing the CID")
    started = time.monotonic()
    path = place / "file"
    stores.copy_out(source, path)
    content = content_of(path, pin.filename)
    execution.spans["prepare"] = round((time.monotonic() - started) * 1000)
    execution.note(f"{path.stat().st_size} bytes, {content.wanted}")
    return content


def content_of(path: Path, filename: str) -> Content:
    return Content(path, filename, stores.digest(path), cid.of_file(path))


def _pin(execution: Execution, pin: Pin, content: Content) -> Pinned:
    held = caller_keys.take(pin)
    if pin.own_keys and held is None:
        raise PinError("keys_gone", "The keys came with a request that has ended; ask again with the keys.")
    backend = backends.get(pin.backend, held.keys if held else None)
    look_first = pin.attempt > 1 or known_at(pin.backend, content.sha256)
    Pin.objects.filter(pk=pin.pk).update(sha256=content.sha256)
    execution.report("pinning", 40, f"Pinning at {pin.backend}")
    started = time.monotonic()
    patience_s = held.until - started if held else 0.0  # nobody else could try again with these keys
    try:
        pinned = execution.wait(background(backends.pin_patiently(backend, content, look_first, patience_s)))
    finally:
        execution.spans["pin"] = round((time.monotonic() - started) * 1000)
    execution.note(f"{'found' if pinned.found else 'pinned'} at {pin.backend}: {pinned.cid}")
    return pinned


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


def _fail(execution: Execution, error: PinError) -> None:
    pin: Pin = execution.job
    execution.note(f"{error.code}: {error.message}")
    delay = backends.retry_delay(pin.attempt, error.retry_after_s)
    execution.job = lifecycle.fail(pin, error.code, error.message, error.retry, execution.spans, delay)
    if execution.job.state == State.FAILED:
        stream.log("error", f"{pin.piece}: not pinned at {pin.backend}: {error.message}")
    else:
        stream.log("warn", f"{pin.piece}: {error.message} Next try in {delay.total_seconds():.0f} s.")
