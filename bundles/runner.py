"""What a worker does for the cores of runtimes and for bundles."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from bundles import process_engine, services, source_tree
from bundles.engine.device import m4d_device, m4d_name
from bundles.engine.errors import BundleError, ErrorCode
from bundles.engine.spec import BundleResult, BundleSpec, CoreResult, Progress
from bundles.models import Bundle, CoreBuild
from bundles.process_engine import engine
from bundles.program_client import Site
from bundles.requests import BundleRequest
from bundles.services import build_core
from captures import services as captures
from captures.engine.errors import CaptureError
from captures.frozen import Frozen
from captures.requests import parse as parse_grab
from oven.events import stream
from oven.jobs import lifecycle
from oven.jobs.context import JobContext
from oven.jobs.models import DEMO
from oven.jobs.runner import JobRunner
from oven.jobs.states import ENDED, Lane, State
from oven.storage import stores
from oven.storage.models import Artifact

if TYPE_CHECKING:
    from bundles.smoke_test import Checked

CORE_WAIT_S = 120.0
FINAL = {"check", *(str(code) for code in ErrorCode if not code.retry)}  # why a core fails until its files change
POSTER_SIDE = 192
STAGE_PERCENT = {"init": 2, "fetch": 2, "deps": 10, "cache-hit": 30, "discover": 12, "minify": 20, "fonts": 60}
STAGE_PERCENT |= {"piece": 65, "paintings": 70, "generate": 80, "compress": 90}


class Reporter:
    """Report the engine's steps, keep their messages, and end the work when it is not wanted any more."""

    def __init__(self, context: JobContext) -> None:
        self.context = context
        self.messages: list[str] = []

    def __call__(self, progress: Progress) -> None:
        self.context.look()
        self.messages.append(progress.message)
        stage = str(progress.stage)
        share = 40 * progress.done // progress.total if progress.total else 0
        self.context.report(stage, STAGE_PERCENT.get(stage, 0) + share, progress.message)


# --- cores ----------------------------------------------------------------------------------------------------------


class CoreRunner(JobRunner):
    """Build the tree's core, then open it offline: only one that runs is put into service."""

    name = "core"
    model = CoreBuild
    pool = "bundle"
    timeout_s = 300
    search_field = "version"
    keep_rows = 30
    file_fields = ("still",)
    storage_prefixes = ("art:oven/cores",)
    failures: ClassVar[tuple[type[Exception], ...]] = (BundleError,)

    def work(self, context: JobContext, place: Path) -> None:
        build: CoreBuild = context.job
        stream.log("info", f"Packing the runtime {build.version}", build.public_id)
        with process_engine.idle.busy():
            core = engine().core(source_tree.source_tree(), Reporter(context))
            context.spans["build"] = core.ms
            checked = self._check(context, build, core, place)
        for problem in checked.problems:
            context.note(problem)
        context.save_log(evidence={"notes": list(checked.problems)})
        if checked.problems:
            message = "The runtime does not run offline: " + " ".join(checked.problems)
            self.fail(context, "check", message, retry=False)
            return
        self.publish(context, still=_keep_still(build, checked), **_core_fields(core))

    def failed(self, context: JobContext, error: BundleError) -> None:
        self.fail(context, str(error.code), _sentence(error), error.retry)

    def periodic(self) -> None:
        services.watch_tree()
        services.fill_posters()

    def retained(self, rows: QuerySet[Any]) -> Iterable[int]:
        """Keep the one in service, and the last that was tried: without it the tree would be packed again."""
        last = CoreBuild.objects.exclude(state=State.CANCELLED).order_by("-id").first()
        return [core.pk for core in (CoreBuild.objects.in_service(), last) if core is not None]

    def _check(self, context: JobContext, build: CoreBuild, core: CoreResult, place: Path) -> Checked:
        from bundles.smoke_test import check_page, offline  # brings the capture engine
        from captures.browser import browser_options

        context.report("checking", 92, "Opening it with the network off")
        context.beat()
        name = smoke_test_piece()
        spec = BundleSpec(now=timezone.now(), piece=name, version=build.version, shape=source_tree.site_shape())
        page = place / "probe.html"
        with self.timed(context, "check"):
            page.write_bytes(engine().bundle(spec, source_tree.source_tree(), core=core).html)
            browser = offline(browser_options())
            try:
                checked = check_page(page, browser, settings.OVEN_READY_EXPRESSION, context.wait)
            except CaptureError as error:  # no browser here, or not any more: nothing is known about the page
                message = f"It could not be checked: {error.message}"
                raise BundleError(ErrorCode.WORKER_LOST, message) from None
        context.note(f"checked with {name}: {len(checked.problems)} problems")
        return checked


def smoke_test_piece() -> str:
    """Return the piece that cores are tried with: the configured one, else the first of the tree."""
    tree = source_tree.source_tree()
    if (tree.root / tree.piece_path(settings.OVEN_BUNDLE_PROBE)).is_file():
        return str(settings.OVEN_BUNDLE_PROBE)
    found = sorted(path.stem for path in (tree.root / tree.pieces).glob(f"*{tree.suffix}"))
    if not found:
        raise BundleError(ErrorCode.NO_SOURCES, f"The source tree has no pieces in {tree.pieces}.")
    return found[0]


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


class BundleRunner(JobRunner):
    """Make the page, store it, then publish it by one conditional update."""

    name = "bundle"
    model = Bundle
    pool = "bundle"
    timeout_s = 300
    related = ("artifact", "core")
    search_field = "piece"
    can_requeue = True
    keep_days = 30
    keep_rows = 100_000
    file_fields = ("poster",)
    storage_prefixes = ("blobs:bundles",)
    failures: ClassVar[tuple[type[Exception], ...]] = (BundleError,)
    store_failure = "The bundle could not be stored."

    def work(self, context: JobContext, place: Path) -> None:
        bundle: Bundle = context.job
        request = BundleRequest.from_json(bundle.spec)
        report = Reporter(context)
        with process_engine.idle.busy():
            build, core = _core(context, request)
            result = engine().bundle(_spec(context, request), source_tree.source_tree(), report, core)
            self._store_and_publish(context, bundle, request, result, build, report, place)

    def failed(self, context: JobContext, error: BundleError) -> None:
        self.fail(context, str(error.code), _sentence(error), error.retry)

    def _store_and_publish(
        self,
        context: JobContext,
        bundle: Bundle,
        request: BundleRequest,
        result: BundleResult,
        build: CoreBuild | None,
        report: Reporter,
        place: Path,
    ) -> None:
        context.spans.update(result.spans)
        self.begin_storing(context)
        name, data = result.filename, result.html
        if request.m4d:
            name, data = m4d_name(request.name), m4d_device(result.html, request.name)
        self.discard(bundle, range(1, bundle.attempt))  # what a lost attempt has stored, but not published
        artifact = _keep(bundle, data, place)
        links = _links(bundle, request, artifact, build)
        self.publish(context, filename=name, **_facts(result, report), **links)

    def discard(self, job: Bundle, attempts: Iterable[int]) -> None:
        stores.discard([_file_key(job, attempt) for attempt in attempts], "blobs")

    def requeue(self, job: Bundle, *, user: Any = None, skip_cache: bool = False) -> Bundle:
        return services.ask_again(job, user=user).bundle

    def cleanup(self) -> dict[str, int]:
        return services.delete_expired()

    def retained(self, rows: QuerySet[Any]) -> Iterable[int]:
        return self.cached(rows)


def _core(context: JobContext, request: BundleRequest) -> tuple[CoreBuild | None, CoreResult | None]:
    """The core in service: one that failed to build, or was not checked, is never bundled with."""
    if not request.minify:
        return None, None  # made for this one request, and not kept in service
    build = CoreBuild.objects.in_service() or _first_core(context)
    core = engine().load_core(build.key)
    if core is None:  # built on another machine, or dropped from this one's cache
        core = engine().core(source_tree.source_tree())
    return build, core


def _first_core(context: JobContext) -> CoreBuild:
    """There is none yet: builds it here, or waits for another worker that does."""
    from oven.jobs.worker import perform

    last = CoreBuild.objects.filter(tree=source_tree.fingerprint()).order_by("-id").first()
    if last and last.state == State.FAILED and last.error_code in FINAL:
        raise BundleError(ErrorCode.NO_SOURCES, last.error_message)  # the same files would fail in the same way
    build = build_core(source="bundle")
    context.report("discover", 5, "Packing the runtime for the first time")
    deadline = time.monotonic() + CORE_WAIT_S
    while time.monotonic() < deadline:
        perform(build.kind, build.pk)  # if it waits: also later on, when whoever had it was lost
        build.refresh_from_db()
        if build.state in ENDED:
            break
        context.look()
        time.sleep(0.2)
    if build.state != State.COMPLETE:
        message = build.error_message or "The runtime is still being packed."
        raise BundleError(ErrorCode.NO_SOURCES if build.state in ENDED else ErrorCode.TIMEOUT, message)
    return build


def _spec(context: JobContext, request: BundleRequest) -> BundleSpec:
    return BundleSpec(
        now=timezone.now(),
        piece=request.piece,
        code=request.code,
        version=source_tree.version(),
        compress=request.compress,
        minify=request.minify,
        density=request.density,
        shape=source_tree.site_shape(),
        programs=Site(context.wait),
    )


def _links(bundle: Bundle, request: BundleRequest, artifact: Artifact, build: CoreBuild | None) -> dict[str, Any]:
    expires_at = timezone.now() + timedelta(seconds=settings.OVEN_BUNDLE_CACHE_S)
    return {"artifact": artifact, "core": build, "expires_at": expires_at, "poster": _poster(bundle, request)}


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


def _keep(bundle: Bundle, data: bytes, place: Path) -> Artifact:
    """Store the page with a type that no browser opens as one: only our own view serves it so, in a sandbox."""
    path = place / "bundle"
    path.write_bytes(data)
    key = _file_key(bundle, bundle.attempt)
    return stores.keep(path, key, "application/octet-stream", store="blobs")


def _poster(bundle: Bundle, request: BundleRequest) -> str:
    """A small picture of the piece for lists: one that there is already, else one is asked for."""
    grab = parse_grab({"piece": request.name, "format": "png", "width": POSTER_SIDE, "height": POSTER_SIDE})
    try:
        asked = captures.ask(grab, source=DEMO if bundle.source == DEMO else "bundle", lane=Lane.BATCH)
    except (captures.QueueFull, Frozen):
        return ""
    return asked.grab.poster if asked.cached else ""


def _sentence(error: BundleError) -> str:
    """With the place in a file, unless it says that itself."""
    place = f"{error.file}:{error.line}:{error.column}" if error.line else ""
    return error.message if not place or place in error.message else f"{place}: {error.message}"
