"""The piece's half of a bundle: its files, the globals that the runtime looks at, and where it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bundles.engine.graph import Graph
from bundles.engine.naming import handle
from bundles.engine.node import NodeWorker
from bundles.engine.packing import unpack
from bundles.engine.page import style_and_body
from bundles.engine.payload import Record, record, records, worker_parts
from bundles.engine.programs import Programs, background
from bundles.engine.spec import BundleSpec, CoreResult, SourceTree


@dataclass(slots=True)
class Piece:
    """What is packed for one piece. `programs` is there for programs, `graph` for modules."""

    spec: BundleSpec
    tree: SourceTree
    core: CoreResult
    graph: Graph = field(default_factory=Graph)
    programs: Programs | None = None

    @property
    def author(self) -> str:
        return handle(self.spec.author or (self.programs.main.author if self.programs else ""))

    @property
    def source(self) -> str:
        return self.programs.main.source if self.programs else ""

    @property
    def warnings(self) -> list[str]:
        return [*self.graph.warnings, *(self.programs.warnings if self.programs else ())]

    def files(self) -> dict[str, Record]:
        return {**records(self.graph), **self._program_files()}

    def value(self, node: NodeWorker) -> dict[str, Any]:
        """The JSON that is packed. Nothing in it depends on when or by which version the bundle is made."""
        links = {**self.core.links, **self.graph.links}
        return {
            "files": self.files(),
            **worker_parts(self.graph.starts, links, self._text_of(), node),
            "boot": self.tree.boot,
            "globals": self._globals(),
            "names": self._names(),
            "api": self._api(),
            **self._look(),
        }

    def _text_of(self) -> Callable[[str], str | None]:
        """Text of a module, of the piece or of the core; the core is only unpacked when one of its is wanted."""
        core: dict[str, Record] = {}

        def text_of(path: str) -> str | None:
            if path in self.graph.modules:
                return self.graph.modules[path].code
            if not core:
                core.update(unpack(self.core.blob)["files"])
            found = core.get(path)
            return None if found is None or found.get("binary") else str(found["content"])

        return text_of

    def _program_files(self) -> dict[str, Record]:
        if self.programs is None:
            return {}
        shape = self.spec.shape
        found: dict[str, str | bytes] = {}
        for code, source in self.programs.sources.items():
            found[shape.program_path.format(code=code)] = source
        for code, picture in self.programs.pictures.items():
            found[shape.picture_path.format(code=code)] = picture.png
        return {path: record(path, content) for path, content in found.items()}

    def _look(self) -> dict[str, str]:
        spec = self.spec
        colour = spec.background or (background(self.source) if self.programs else "") or spec.shape.background
        module = self.tree.program_module if self.programs else self.tree.piece_path(spec.piece)
        config: dict[str, Any] = {"name": spec.name, "params": list(spec.params), "module": f"/{module}"}
        if self.programs:
            config["source"] = self.source
        return style_and_body(spec.shape, name=spec.name, background=colour, config=config)

    def _names(self) -> dict[str, str]:
        """Globals that are set by the loader, by what they are for."""
        prefix = self.spec.shape.prefix
        return {
            "date": f"{prefix}PACK_DATE",
            "git": f"{prefix}PACK_GIT",
            "colophon": f"{prefix}PACK_COLOPHON",
            "bitmaps": f"{prefix}EMBEDDED_PAINTING_BITMAPS",
            "ready": f"{prefix}PAINTING_BITMAPS_READY",
            "decoding": f"{prefix}DecodePaintingsPromise",
        }

    def _globals(self) -> dict[str, Any]:
        spec, prefix = self.spec, self.spec.shape.prefix
        piece: dict[str, Any] = {"name": spec.name, "isKidLisp": spec.is_program}
        if self.programs:
            piece["sourceCode"] = self.source
        found: dict[str, Any] = {
            f"{prefix}PACK_MODE": True,
            f"{prefix}STARTING_PIECE": spec.name,
            f"{prefix}PACK_PIECE": spec.name,
            f"{prefix}PACK_COLOPHON": {"piece": piece},
            "KIDLISP_SUPPRESS_SNAPSHOT_LOGS": True,
            f"__{prefix}KidlispConsoleEnabled": False,
        }
        if spec.density:
            found[f"{prefix}PACK_DENSITY"] = spec.density
        return {**found, **self._program_globals()}

    def _program_globals(self) -> dict[str, Any]:
        if self.programs is None:
            return {}
        prefix = self.spec.shape.prefix
        return {
            f"{prefix}KEEP_MODE": True,
            f"{prefix}KIDLISP_SOURCE": self.source,
            "EMBEDDED_KIDLISP_SOURCE": self.source,
            "EMBEDDED_KIDLISP_PIECE": self.spec.code,
            "objktKidlispCodes": self.programs.sources,
            f"{prefix}PREFILL_CODE_CACHE": self.programs.sources,
            f"{prefix}PAINTING_CODE_MAP": {
                code: {"handle": p.handle, "slug": p.slug} for code, p in self.programs.pictures.items()
            },
        }

    def _api(self) -> dict[str, Any]:
        shape, found = self.spec.shape, self.programs
        pictures = {
            code: {"handle": p.handle, "slug": p.slug, "path": shape.picture_path.format(code=code)}
            for code, p in (found.pictures if found else {}).items()
        }
        return {
            "programsApi": shape.programs_api.strip("/"),
            "picturesApi": shape.pictures_api.strip("/"),
            "mediaPath": shape.media_path,
            "programs": found.sources if found else {},
            "pictures": pictures,
        }
