"""The core: the runtime's modules and what they need, packed once for all bundles of a tree."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

from bundles.engine.cache import Store, digest
from bundles.engine.errors import BundleError, ErrorCode
from bundles.engine.files import Files
from bundles.engine.graph import Graph, Walk
from bundles.engine.modules import Workshop
from bundles.engine.node import NodeWorker
from bundles.engine.packing import COMPRESSOR, compress, to_base64, to_json
from bundles.engine.payload import records, worker_parts
from bundles.engine.shelf import Shelf
from bundles.engine.spec import CoreResult, FileSize, OnProgress, Progress, SourceTree, Stage

EVERY = 10  # modules between two reports


@dataclass(frozen=True, slots=True)
class Kept:
    """A core in memory, and the look at the tree that it was made from."""

    core: CoreResult
    files: Files


def seeds_of(tree: SourceTree, files: Files) -> list[str]:
    """Raises BundleError(NO_SOURCES) when a module that everything starts from is not there."""
    wanted = list(dict.fromkeys([tree.boot, *tree.seeds]))
    missing = [path for path in wanted if not files.exists(path)]
    if missing:
        raise BundleError(ErrorCode.NO_SOURCES, f"The source tree has no {', '.join(missing)}.")
    return wanted + [path for pattern in tree.include for path in files.match(pattern)]


class CoreBuilder:
    """Builds cores with what has been done before: per-file results, and finished cores by their content."""

    def __init__(self, node: NodeWorker, modules: Shelf, cores: Store) -> None:
        self.node, self.modules, self.cores = node, modules, cores

    def build(self, tree: SourceTree, minify: bool, report: OnProgress) -> Kept:
        """Raises BundleError."""
        started = time.perf_counter()
        files = Files(tree)
        workshop = Workshop(self.node, self.modules, files, minify)
        graph = self._walk(files, workshop, report)
        plain = self._plain(tree, graph)
        workshop.begin_check()
        key = digest(plain, COMPRESSOR)
        known = self.load(key)
        made = known or _result(key, plain, graph, minify)
        workshop.end_check()
        if known is None:
            made = replace(made, ms=round((time.perf_counter() - started) * 1000))
            self.cores.put(key, to_bytes(made))
        return Kept(made, files)

    def load(self, key: str) -> CoreResult | None:
        """A finished core, if it is still kept."""
        data = self.cores.get(key)
        return from_bytes(data) if data else None

    def _walk(self, files: Files, workshop: Workshop, report: OnProgress) -> Graph:
        report(Progress(Stage.DISCOVER, "Finding the runtime's modules"))
        seeds = seeds_of(files.tree, files)
        told = _Told(report)
        graph = Walk(files, workshop)(seeds, told)
        others = len(graph.texts) + len(graph.binaries)
        told.end(len(graph.modules))
        report(Progress(Stage.FONTS, f"{others} other files", others, others))
        return graph

    def _plain(self, tree: SourceTree, graph: Graph) -> str:
        def text_of(path: str) -> str | None:
            return graph.modules[path].code if path in graph.modules else None

        parts = worker_parts(graph.starts, graph.links, text_of, self.node)
        return to_json({"files": records(graph), "site": tree.site, **parts})


class _Told:
    """Tells how many modules are done: once when all are known, then after every ten."""

    def __init__(self, report: OnProgress) -> None:
        self.report, self.total, self.done = report, 0, 0

    def __call__(self, done: int, known: int) -> None:
        if done >= self.done + EVERY:
            self._tell(done, known)

    def end(self, total: int) -> None:
        self._tell(total, total)

    def _tell(self, done: int, known: int) -> None:
        if not self.total:
            self.report(Progress(Stage.MINIFY, f"Minifying {known} modules", 0, known))
        self.done, self.total = done, known
        self.report(Progress(Stage.MINIFY, f"{done} of {known} modules", done, known))


def _result(key: str, plain: str, graph: Graph, minify: bool) -> CoreResult:
    packed = compress(plain.encode())
    errors = [f"{module.path}: {module.error}" for module in graph.modules.values() if module.error]
    return CoreResult(
        key=key,
        blob=to_base64(packed),
        gzip_bytes=len(packed),
        files=tuple(sorted(_sizes(graph), key=lambda file: file.path)),
        errors=tuple(sorted(errors)),
        warnings=tuple(sorted(set(graph.warnings))),
        links={path: tuple(sorted(set(links))) for path, links in sorted(graph.links.items())},
        ms=0,
        minified=minify,
    )


def _sizes(graph: Graph) -> list[FileSize]:
    modules = [FileSize(m.path, m.raw, len(m.code.encode()), m.error) for m in graph.modules.values()]
    texts = [FileSize(path, len(text.encode()), len(text.encode())) for path, text in graph.texts.items()]
    return modules + texts + [FileSize(path, len(data), len(data)) for path, data in graph.binaries.items()]


def to_bytes(core: CoreResult) -> bytes:
    return json.dumps(asdict(core), ensure_ascii=False).encode()


def from_bytes(data: bytes) -> CoreResult:
    fields: dict[str, Any] = json.loads(data)
    fields["files"] = tuple(FileSize(**file) for file in fields["files"])
    fields["links"] = {path: tuple((kind, to) for kind, to in links) for path, links in fields["links"].items()}
    for name in ("errors", "warnings"):
        fields[name] = tuple(fields[name])
    return CoreResult(**fields)
