"""The engine: one Node process, the caches, and the two things it makes: cores and bundles."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

from bundles.engine.cache import Store, digest
from bundles.engine.core import CoreBuilder, Kept
from bundles.engine.errors import BundleError, ErrorCode
from bundles.engine.files import Files
from bundles.engine.graph import Walk
from bundles.engine.modules import Workshop
from bundles.engine.naming import filename, pack_date, size_kb
from bundles.engine.node import NodeOptions, NodeWorker
from bundles.engine.packing import COMPRESSOR, compress, to_base64, to_json, unpack
from bundles.engine.page import TEMPLATE, document, epoch_ms, make_loader, page_title
from bundles.engine.parts import Piece
from bundles.engine.programs import gather, gather_pictures
from bundles.engine.shelf import Shelf
from bundles.engine.spec import (
    BundleResult,
    BundleSpec,
    CoreResult,
    OnProgress,
    Progress,
    SourceTree,
    Stage,
    quiet,
)

T = TypeVar("T")
CORES_IN_MEMORY = 3


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Where the caches are, how much they keep, and how Node is run."""

    cache: Path
    node: NodeOptions = field(default_factory=NodeOptions)
    keep_modules: int = 20_000
    keep_cores: int = 8
    keep_pieces: int = 200


class Engine:
    """Owns the Node child. Synchronous and of one thread. `report` may raise, to give the work up."""

    def __init__(self, options: EngineOptions) -> None:
        self.node = NodeWorker(options.node)
        self._modules = Shelf(options.cache / "modules.sqlite", options.keep_modules)
        self._pieces = Store(options.cache / "pieces", options.keep_pieces)
        self._builder = CoreBuilder(self.node, self._modules, Store(options.cache / "cores", options.keep_cores))
        self._cores: OrderedDict[tuple[str, bool], Kept] = OrderedDict()
        self._loaders: dict[bool, str] = {}

    def core(self, tree: SourceTree, report: OnProgress = quiet, *, minify: bool = True) -> CoreResult:
        """The tree's runtime, packed; from memory while no file of it has changed. Raises BundleError."""
        place = repr(tree), minify
        kept = self._cores.get(place)
        if kept is not None and kept.files.unchanged():
            report(Progress(Stage.CACHE_HIT, f"The runtime is packed: {len(kept.core.files)} files"))
            return kept.core
        self._cores.pop(place, None)
        kept = self._twice(lambda: self._builder.build(tree, minify, report))
        self._cores[place] = kept
        while len(self._cores) > CORES_IN_MEMORY:
            self._cores.popitem(last=False)
        return kept.core

    def load_core(self, key: str) -> CoreResult | None:
        """A core that was built earlier, by any process with the same cache; None when it has been dropped."""
        return self._builder.load(key)

    def bundle(
        self, spec: BundleSpec, tree: SourceTree, report: OnProgress = quiet, core: CoreResult | None = None
    ) -> BundleResult:
        """The finished page. `core` replaces the tree's own: the last good one, where that cannot be built.

        Raises BundleError.
        """
        started = time.perf_counter()
        make = self._program if spec.is_program else self._module
        piece = make(spec, tree, report, core)
        return self._finish(piece, report, started)

    def close(self) -> None:
        self.node.close()
        self._modules.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _core_for(
        self, spec: BundleSpec, tree: SourceTree, report: OnProgress, core: CoreResult | None
    ) -> CoreResult:
        if core is None:
            return self.core(tree, report, minify=spec.minify)
        report(Progress(Stage.CACHE_HIT, f"The runtime is packed: {len(core.files)} files"))
        return core

    def _program(self, spec: BundleSpec, tree: SourceTree, report: OnProgress, core: CoreResult | None) -> Piece:
        report(Progress(Stage.FETCH, f"Fetching {spec.name}"))
        found = gather(spec, tree.limits)
        report(Progress(Stage.DEPS, f"{len(found.sources) - 1} programs are named"))
        packed = self._core_for(spec, tree, report, core)
        gather_pictures(spec, found, tree.limits)
        if found.pictures:
            report(Progress(Stage.PAINTINGS, f"{len(found.pictures)} paintings"))
        return Piece(spec, tree, packed, programs=found)

    def _module(self, spec: BundleSpec, tree: SourceTree, report: OnProgress, core: CoreResult | None) -> Piece:
        report(Progress(Stage.INIT, f"Bundling {spec.name}"))
        path = tree.piece_path(spec.piece)
        if not Files(tree).exists(path):
            raise BundleError(ErrorCode.NOT_FOUND, f"There is no piece {spec.piece}.", file=path)
        packed = self._core_for(spec, tree, report, core)
        report(Progress(Stage.PIECE, f"Reading {path}"))

        def walk() -> Piece:
            files = Files(tree)
            workshop = Workshop(self.node, self._modules, files, spec.minify, as_written=tree.pieces)
            graph = Walk(files, workshop, packed.paths)([path])
            workshop.begin_check()
            workshop.end_check()
            return Piece(spec, tree, packed, graph=graph)

        piece = self._twice(walk)
        report(Progress(Stage.DEPS, f"{len(piece.graph.paths)} files beside the runtime"))
        return piece

    def _finish(self, piece: Piece, report: OnProgress, started: float) -> BundleResult:
        spec = piece.spec
        report(Progress(Stage.GENERATE, "Making the page"))
        plain = self._twice(lambda: to_json(piece.value(self.node)))
        loader = self._loader(spec.minify)
        key = digest(piece.core.key, plain, loader, str(TEMPLATE), str(spec.compress), COMPRESSOR)
        report(Progress(Stage.COMPRESS, "Compressing" if spec.compress else "Not compressing"))
        blobs = self._packed(piece, plain) if spec.compress else self._unpacked(piece, plain)
        title = page_title(spec.shape, spec.name)
        text = document(title=title, **blobs, packed=spec.compress, facts=self._facts(piece), loader=loader)
        spans = {"total": round((time.perf_counter() - started) * 1000)}
        return self._result(piece, text, key, spans)

    def _packed(self, piece: Piece, plain: str) -> dict[str, str]:
        key = digest(plain, COMPRESSOR)
        kept = self._pieces.get(key)
        if kept is None:
            kept = to_base64(compress(plain.encode())).encode()
            self._pieces.put(key, kept)
        return {"core": piece.core.blob, "piece": kept.decode()}

    @staticmethod
    def _unpacked(piece: Piece, plain: str) -> dict[str, str]:
        return {"core": to_json(unpack(piece.core.blob)), "piece": plain}

    def _loader(self, minify: bool) -> str:
        if minify not in self._loaders:
            self._loaders[minify] = self._twice(lambda: make_loader(self.node, minify))
        return self._loaders[minify]

    @staticmethod
    def _facts(piece: Piece) -> dict[str, object]:
        """What changes from one bundle to the next of the same content: it is not packed, and not hashed."""
        spec = piece.spec
        build: dict[str, object] = {
            "author": piece.author or "anon",
            "packTime": epoch_ms(spec.now),
            "gitCommit": spec.version,
            "gitIsDirty": False,
            "fileCount": len(piece.core.files) + len(piece.files()),
        }
        if spec.is_program:
            build["filename"] = filename(spec, piece.author)
        return {"date": pack_date(spec.now), "git": spec.version, "build": build}

    @staticmethod
    def _result(piece: Piece, text: str, key: str, spans: dict[str, int]) -> BundleResult:
        spec, programs = piece.spec, piece.programs
        return BundleResult(
            html=text.encode(),
            filename=filename(spec, piece.author),
            size_kb=size_kb(text),
            key=key,
            core_key=piece.core.key,
            file_count=len(piece.core.files) + len(piece.files()),
            warnings=(*piece.core.warnings, *piece.warnings),
            pack_date=pack_date(spec.now),
            source_code=piece.source,
            author_handle=(piece.author or "anon") if programs else "",
            user_code=programs.main.user_code if programs else None,
            dep_count=len(programs.sources) - 1 if programs else 0,
            spans=spans,
        )

    def _twice(self, work: Callable[[], T]) -> T:
        """A worker that was killed is no reason to fail: what it had finished is in the cache."""
        try:
            return work()
        except BundleError as error:
            if error.code is not ErrorCode.WORKER_LOST:
                raise
            return work()
