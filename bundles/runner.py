"""The bridge between claimed rows and the engine. Imported by workers only: it brings the engine with it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from bundles import source_tree
from bundles.engine.device import m4d_device, m4d_name
from bundles.engine.engine import Engine, EngineOptions
from bundles.engine.errors import BundleError, ErrorCode
from bundles.engine.node import NodeOptions
from bundles.engine.spec import BundleResult, BundleSpec, CoreResult, Progress
from bundles.idle_timeout import IdleClose
from bundles.models import Bundle, CoreBuild
from bundles.program_client import Site
from bundles.requests import BundleRequest
from bundles.services import build_core
from bundles.smoke_test import Checked, check_page, offline
from captures import services as captures
from captures.engine.errors import CaptureError
from captures.frozen import Frozen
from captures.requests import parse as parse_grab
from captures.runner import browser_options
from oven.events import stream
from oven.jobs import lifecycle, scratch
from oven.jobs.context import Execution
from oven.jobs.models import DEMO
from oven.jobs.states import ENDED, Lane, State
from oven.storage import stores
from oven.storage.models import Artifact

log = logging.getLogger(__name__)
CORE_WAIT_S = 120.0
FINAL = {"check", *(str(code) for code in ErrorCode if not code.retry)}  # why a core fails until its files change
POSTER_SIDE = 192
STAGE_PERCENT = {"init": 2, "fetch": 2, "deps": 10, "cache-hit": 30, "discover": 12, "minify": 20, "fonts": 60}
STAGE_PERCENT |= {"piece": 65, "paintings": 70, "generate": 80, "compress": 90}
_engine: Engine | None = None
_idle = IdleClose(lambda: _engine.node.close() if _engine else None)


def engine() -> Engine:
    """This process's engine; started at first use."""
    global _engine
    if _engine is None:
        _engine = Engine(options())
    return _engine


def options(cache: Path | None = None) -> EngineOptions:
    node = NodeOptions(executable=settings.OVEN_NODE)
    place = cache or Path(settings.OVEN_DATA) / "cache" / "bundles"
    return EngineOptions(cache=place, node=node, keep_cores=settings.OVEN_BUNDLE_CORES)


def close_engine() -> None:
    global _engine
    found, _engine = _engine, None
    _idle.stop()
    if found is not None:
        found.close()


class Reporter:
    """Hands the engine's steps on, remembers what was said, and ends the work when nobody wants it any more."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.messages: list[str] = []

    def __call__(self, progress: Progress) -> None:
        self.execution.look()
        self.messages.append(progress.message)
        stage = str(progress.stage)
        share = 40 * progress.done // progress.total if progress.total else 0
        self.execution.report(stage, STAGE_PERCENT.get(stage, 0) + share, progress.message)


# --- cores ----------------------------------------------------------------------------------------------------------


def run_core(execution: Execution) -> None:
    """Builds the tree's core, then opens it offline: only one that runs is put into service."""
    build: CoreBuild = execution.job
    stream.log("info", f"Packing the runtime {build.version}", build.public_id)
    with _idle.busy():
        try:
            core = engine().core(source_tree.source_tree(), Reporter(execution))
            execution.spans["build"] = core.ms
            checked = _check(execution, build, core)
        except BundleError as error:
            _fail(execution, str(error.code), _sentence(error), error.retry)
            return
    _save_checks(execution, checked)
    if checked.problems:
        _fail(execution, "check", "The runtime does not run offline: " + " ".join(checked.problems), retry=False)
        return
    lifecycle.finish(build, execution.spans, still=_keep_still(build, checked), **_core_fields(core))


def _check(execution: Execution, build: CoreBuild, core: CoreResult) -> Checked:
    execution.report("checking", 92, "Opening it with the network off")
    execution.beat()
    started = time.monotonic()
    name = probe()
    spec = BundleSpec(now=timezone.now(), piece=name, version=build.version, shape=source_tree.site_shape())
    with scratch.directory(build) as place:
        page = place / "probe.html"
        page.write_bytes(engine().bundle(spec, source_tree.source_tree(), core=core).html)
        browser = offline(browser_options())
        try:
            checked = check_page(page, browser, settings.OVEN_READY_EXPRESSION, execution.wait)
        except CaptureError as error:  # no browser here, or not any more: nothing can be said of the page
            raise BundleError(ErrorCode.WORKER_LOST, f"It could not be checked: {error.message}") from None
    execution.spans["check"] = round((time.monotonic() - started) * 1000)
    execution.note(f"checked with {name}: {len(checked.problems)} problems")
    return checked


def probe() -> str:
    """The piece that cores are tried with: the configured one, else the first of the tree."""
    tree = source_tree.source_tree()
    if (tree.root / tree.piece_path(settings.OVEN_BUNDLE_PROBE)).is_file():
        return str(settings.OVEN_BUNDLE_PROBE)
    found = sorted(path.stem for path in (tree.root / tree.pieces).glob(f"*{tree.suffix}"))
    if not found:
        raise BundleError(ErrorCode.NO_SOURCES, f"The source tree has no pieces in {tree.pieces}.")
    return found[0]


def _save_checks(execution: Execution, checked: Checked) -> None:
    for problem in checked.problems:
        execution.note(problem)
    execution.save_log(evidence={"notes": list(checked.problems)})


def _keep_still(build: CoreBuild, checked: Checked) -> str:
    key = f"oven/cores/{build.public_id}.webp"
    stores.keep_bytes(checked.still, key, "image/webp")
    return key


def _core_fields(core: CoreResult) -> dict[str, Any]:
    table = [[file.path, file.raw, file.packed, file.error] for file in core.files]
    return {
        "key": core.key,
        "files": len(core.files),
        "raw_bytes": core.raw_bytes,
        "minified_bytes": core.minified_bytes,
        "gzip_bytes": core.gzip_bytes,
        "build_ms": core.ms,
        "table": sorted(table, key=lambda row: -int(row[2])),
        "warnings": [*core.errors, *core.warnings],
    }


# --- bundles --------------------------------------------------------------------------------------------------------


def run_bundle(execution: Execution) -> None:
    """Runs a claimed Bundle: makes the page, stores it, then publishes it by one conditional update."""
    bundle: Bundle = execution.job
    wish = BundleRequest.from_json(bundle.spec)
    report = Reporter(execution)
    with _idle.busy():
        try:
            build, core = _core(execution, wish)
            result = engine().bundle(_spec(execution, wish), source_tree.source_tree(), report, core)
            _publish(execution, bundle, wish, result, build, report)
        except BundleError as error:
            _fail(execution, str(error.code), _sentence(error), error.retry)
        except stores.StoreError as error:
            execution.note(f"store: {error}")
            _fail(execution, "store", "The bundle could not be stored.", retry=True)
        except OSError as error:
            execution.note(repr(error))
            message = f"A file could not be written: {error.strerror}."
            _fail(execution, "disk", message, retry=True)


def _core(execution: Execution, wish: BundleRequest) -> tuple[CoreBuild | None, CoreResult | None]:
    """The core in service: one that failed to build, or was not checked, is never bundled with."""
    if not wish.minify:
        return None, None  # made for this one wish, and not kept in service
    build = CoreBuild.objects.in_service() or _first_core(execution)
    core = engine().load_core(build.key)
    if core is None:  # built on another machine, or dropped from this one's cache
        core = engine().core(source_tree.source_tree())
    return build, core


def _first_core(execution: Execution) -> CoreBuild:
    """There is none yet: builds it here, or waits for another worker that does."""
    from oven.jobs.worker import perform

    last = CoreBuild.objects.filter(tree=source_tree.fingerprint()).order_by("-id").first()
    if last and last.state == State.FAILED and last.error_code in FINAL:
        raise BundleError(ErrorCode.NO_SOURCES, last.error_message)  # the same files would fail in the same way
    build = build_core(source="bundle")
    execution.report("discover", 5, "Packing the runtime for the first time")
    deadline = time.monotonic() + CORE_WAIT_S
    while time.monotonic() < deadline:
        perform(build.kind, build.pk)  # if it waits: also later on, when whoever had it was lost
        build.refresh_from_db()
        if build.state in ENDED:
            break
        execution.look()
        time.sleep(0.2)
    if build.state != State.COMPLETE:
        message = build.error_message or "The runtime is still being packed."
        raise BundleError(ErrorCode.NO_SOURCES if build.state in ENDED else ErrorCode.TIMEOUT, message)
    return build


def _spec(execution: Execution, wish: BundleRequest) -> BundleSpec:
    return BundleSpec(
        now=timezone.now(),
        piece=wish.piece,
        code=wish.code,
        version=source_tree.version(),
        compress=wish.compress,
        minify=wish.minify,
        density=wish.density,
        shape=source_tree.site_shape(),
        programs=Site(execution.wait),
    )


def _publish(
    execution: Execution,
    bundle: Bundle,
    wish: BundleRequest,
    result: BundleResult,
    build: CoreBuild | None,
    report: Reporter,
) -> None:
    execution.spans.update(result.spans)
    execution.report("uploading", 95, "Storing")
    execution.beat()
    name, data = result.filename, result.html
    if wish.m4d:
        name, data = m4d_name(wish.name), m4d_device(result.html, wish.name)
    _drop(bundle, range(1, bundle.attempt))  # what a lost attempt had stored, but not published
    artifact = _keep(bundle, data)
    fields = _facts(result, report)
    try:
        lifecycle.finish(bundle, execution.spans, filename=name, **fields, **_links(bundle, wish, artifact, build))
    except lifecycle.StateMismatch:
        _drop(bundle, (bundle.attempt,))  # cancelled, or too late: nobody will ever name it
        raise


def _links(bundle: Bundle, wish: BundleRequest, artifact: Artifact, build: CoreBuild | None) -> dict[str, Any]:
    expires_at = timezone.now() + timedelta(seconds=settings.OVEN_BUNDLE_CACHE_S)
    return {"artifact": artifact, "core": build, "expires_at": expires_at, "poster": _poster(bundle, wish)}


def _facts(result: BundleResult, report: Reporter) -> dict[str, Any]:
    return {
        "key": result.key,
        "size_kb": result.size_kb,
        "file_count": result.file_count,
        "pack_date": result.pack_date,
        "source_code": result.source_code,
        "author_handle": result.author_handle,
        "user_code": result.user_code or "",
        "dep_count": result.dep_count,
        "warnings": list(result.warnings),
        "messages": report.messages,
    }


def _file_key(bundle: Bundle, attempt: int) -> str:
    return f"bundles/{lifecycle.attempt_name(bundle, attempt)}"


def _drop(bundle: Bundle, attempts: Iterable[int]) -> None:
    """The files of attempts that are not to be published."""
    stores.discard([_file_key(bundle, attempt) for attempt in attempts], "blobs")


def _keep(bundle: Bundle, data: bytes) -> Artifact:
    """Of a type that no browser opens as a page: only our own view serves it as one, in a sandbox."""
    with scratch.directory(bundle) as place:
        path = place / "bundle"
        path.write_bytes(data)
        key = _file_key(bundle, bundle.attempt)
        return stores.keep(path, key, "application/octet-stream", store="blobs")


def _poster(bundle: Bundle, wish: BundleRequest) -> str:
    """A small picture of the piece for lists: one that there is already, else one is asked for."""
    grab = parse_grab({"piece": wish.name, "format": "png", "width": POSTER_SIDE, "height": POSTER_SIDE})
    try:
        asked = captures.ask(grab, source=DEMO if bundle.source == DEMO else "bundle", lane=Lane.BATCH)
    except (captures.QueueFull, Frozen):
        return ""
    return asked.grab.poster if asked.cached else ""


def _sentence(error: BundleError) -> str:
    """With the place in a file, unless it says that itself."""
    place = f"{error.file}:{error.line}:{error.column}" if error.line else ""
    return error.message if not place or place in error.message else f"{place}: {error.message}"


def _fail(execution: Execution, code: str, message: str, retry: bool) -> None:
    execution.note(f"failed: {code}: {message}")
    execution.save_log(spans=execution.spans)
    execution.job = lifecycle.fail(execution.job, code, message, retry=retry, spans=execution.spans)
