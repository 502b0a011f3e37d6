"""What a tree's modules need of it: a walk along everything that they import, start or show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bundles.engine import css
from bundles.engine.errors import BundleError, ErrorCode, at
from bundles.engine.files import Files, escape_pattern, is_script, is_text, suffix
from bundles.engine.modules import Edge, Module, Workshop

STARTED = {"worker", "start"}  # scripts with a thread of their own
NEVER_MISSED = {"hint", "start", "open"}
ASSET_KINDS = {"asset", "hint"}


@dataclass(slots=True)
class Graph:
    """Everything found, by path. `links` are the edges that lead to a file, `starts` the scripts of workers."""

    modules: dict[str, Module] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    binaries: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # kind, path
    starts: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)

    @property
    def paths(self) -> set[str]:
        return {*self.modules, *self.texts, *self.binaries}


OnFound = Callable[[int, int], None]  # modules finished, modules known


class Walk:
    """One walk. What is in `known` is taken for done: the core, when a piece is walked."""

    def __init__(self, files: Files, workshop: Workshop, known: frozenset[str] = frozenset()) -> None:
        self.files, self.workshop, self.known = files, workshop, known
        self.graph = Graph()
        self._reached: set[str] = set()
        self._next: list[str] = []

    def __call__(self, seeds: Iterable[str], on_found: OnFound = lambda done, known: None) -> Graph:
        """Raises BundleError: SYNTAX, MISSING_IMPORT, OUTSIDE_TREE, FOREIGN_IMPORT, UNREADABLE, TOO_LARGE."""
        for path in seeds:
            self._reach(path, script=is_script(path) and bool(suffix(path)))
        while self._next or self.workshop.busy:
            if self._next:
                paths, self._next = self._next, []
                self.workshop.start(paths, self._on_edges, self._on_module)
            else:
                self.workshop.step(self._on_edges, self._on_module)
            on_found(len(self.graph.modules), len(self.graph.modules) + len(self._next) + self.workshop.owed)
        return self.graph

    def _on_module(self, module: Module) -> None:
        self.graph.modules[module.path] = module

    def _on_edges(self, path: str, edges: tuple[Edge, ...]) -> None:
        for edge in edges:
            for target in self._targets(path, edge):
                self.graph.links.setdefault(path, []).append((edge.kind, target))
                script = is_script(target) and edge.kind not in ASSET_KINDS
                if script and edge.kind in STARTED:
                    self.graph.starts.add(target)
                self._reach(target, script)

    def _targets(self, path: str, edge: Edge) -> tuple[str, ...]:
        """The files that an edge leads to. Raises BundleError for what cannot be left out."""
        if edge.why:
            self._stray(path, edge)
            return ()
        if edge.kind == "glob":
            found = self.files.match(escape_pattern(edge.path))
            return found or self._missing(path, edge)
        if edge.kind == "open":
            return ()
        return (edge.path,) if self._there(edge.path) else self._missing(path, edge)

    def _there(self, path: str) -> bool:
        return path in self.known or self.files.exists(path)

    def _missing(self, path: str, edge: Edge) -> tuple[str, ...]:
        message = f"{at(path, edge.line, edge.column)} imports {edge.specifier!r}, which is not there"
        if edge.kind == "static":
            raise _error(ErrorCode.MISSING_IMPORT, message, path, edge)
        if edge.kind not in NEVER_MISSED:
            self.graph.warnings.append(message)
        return ()

    def _stray(self, path: str, edge: Edge) -> None:
        place = at(path, edge.line, edge.column)
        if edge.specifier.startswith(("data:", "blob:")):
            return
        if edge.why == "climbs":
            message = f"{place} imports {edge.specifier!r}, which climbs out of the source tree"
            raise _error(ErrorCode.OUTSIDE_TREE, message, path, edge)
        code, reason = _STRAY[edge.why]
        message = f"{place} imports {edge.specifier!r}, {reason}"
        if edge.kind == "static":
            raise _error(code, message, path, edge)
        self.graph.warnings.append(message)

    def _reach(self, path: str, script: bool) -> None:
        if path in self._reached or path in self.known:
            return
        self._reached.add(path)
        if len(self._reached) > self.files.tree.limits.files:
            raise BundleError(ErrorCode.TOO_LARGE, f"More than {self.files.tree.limits.files} files are needed")
        if script:
            self._next.append(path)
        elif suffix(path) == ".css":
            self.graph.texts[path] = css.self_contained(path, self.files, self.graph.warnings.append)
        else:
            self._take(path, self.files.read(path))

    def _take(self, path: str, data: bytes) -> None:
        """A file of a text's kind that is no UTF-8 is kept as bytes."""
        try:
            if not is_text(path):
                raise ValueError
            self.graph.texts[path] = data.decode()
        except ValueError:
            self.graph.binaries[path] = data


_STRAY = {
    "foreign": (ErrorCode.FOREIGN_IMPORT, "which is on another site: not there offline"),
    "bare": (ErrorCode.MISSING_IMPORT, "a bare name that no alias explains"),
}


def _error(code: ErrorCode, message: str, path: str, edge: Edge) -> BundleError:
    return BundleError(code, message, file=path, line=edge.line, column=edge.column)
