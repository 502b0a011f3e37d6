"""Modules made ready to ship: rewritten and minified by the Node worker, or taken from the cache."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from bundles.engine.cache import digest
from bundles.engine.errors import BundleError, ErrorCode, at
from bundles.engine.files import Files
from bundles.engine.node import NodeWorker
from bundles.engine.shelf import Shelf

REWRITING = 4  # raise it when worker/*.mjs turns the same module into something else
BATCH = 24  # modules read and sent at once


class Edge(NamedTuple):
    """What a module names: `path` below the root, or `why` there is none (`climbs`, `foreign`, `bare`)."""

    kind: str  # static, dynamic, glob, open, worker, asset, start, hint
    specifier: str
    path: str
    why: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Module:
    """A finished module: the text to ship, how many bytes it was written in, and what it names."""

    path: str
    code: str
    raw: int
    edges: tuple[Edge, ...]
    error: str = ""  # of the minifier, which left the module as it was

    def to_bytes(self) -> bytes:
        """Facts on the first line, the text after it."""
        head = json.dumps([self.path, self.raw, self.edges, self.error], ensure_ascii=False)
        return f"{head}\n{self.code}".encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Module:
        head, _, code = data.decode().partition("\n")
        path, raw, edges, error = json.loads(head)
        return cls(path, code, raw, tuple(Edge(*edge) for edge in edges), error)


@dataclass(slots=True)
class _Wanted:
    path: str
    key: str
    raw: int
    edges: tuple[Edge, ...] = ()


_RUNS = itertools.count(1)  # of this process: tells the worker what belongs together
OnModule = Callable[[Module], None]
OnEdges = Callable[[str, tuple[Edge, ...]], None]


class Workshop:
    """Makes the modules of one tree. What they name is told first, the finished text as soon as it is there."""

    def __init__(self, worker: NodeWorker, shelf: Shelf, files: Files, minify: bool, as_written: str = "") -> None:
        self.worker, self.shelf, self.files, self.minify, self.as_written = worker, shelf, files, minify, as_written
        self._toolchain = json.dumps([REWRITING, worker.about(), files.tree.site], sort_keys=True)
        self._run = next(_RUNS)
        self._requests: set[int] = set()
        self._check = 0
        self._wanted: dict[str, _Wanted] = {}

    def start(self, paths: list[str], on_edges: OnEdges, on_module: OnModule) -> None:
        """Takes modules in hand. Those in the cache are told at once; the worker begins while more are read."""
        for first in range(0, len(paths), BATCH):
            some = paths[first : first + BATCH]
            texts = {path: self.files.read_text(path) for path in some}
            keys = {path: self._key(path, text) for path, text in texts.items()}
            kept = self.shelf.get(keys.values())
            for path in some:
                if found := kept.get(keys[path]):
                    module = Module.from_bytes(found)
                    on_edges(path, module.edges)
                    on_module(module)
                else:
                    self._wanted[path] = _Wanted(path, keys[path], len(texts[path].encode()))
            self._post({path: text for path, text in texts.items() if keys[path] not in kept})

    @property
    def owed(self) -> int:
        """Modules in hand that are not finished."""
        return len(self._wanted)

    @property
    def busy(self) -> bool:
        return bool(self._wanted)

    def step(self, on_edges: OnEdges, on_module: OnModule) -> None:
        """Waits for one answer of the worker's. Raises BundleError: SYNTAX, or the worker's own."""
        answer = self.worker.receive()
        if answer["id"] not in self._requests:  # of a build that was given up
            return
        for found in answer.get("edges", ()):
            _refuse(found)
            edges = tuple(Edge(*edge) for edge in found["edges"])
            self._wanted[found["path"]].edges = edges
            on_edges(found["path"], edges)
        if text := answer.get("text"):
            on_module(self._finish(text))

    def begin_check(self) -> None:
        """Has the new modules looked at once more, by V8, while we do something else."""
        self._check = self.worker.post("check", run=self._run) if self._requests else 0

    def end_check(self) -> None:
        """Files what was made. Raises BundleError(SYNTAX) instead, when something was found."""
        if self._check:
            for answer in self.worker.collect(self._check):
                if answer.get("fault"):
                    self.shelf.forget()
                    _refuse(answer["fault"])
        self.shelf.flush()

    def _post(self, texts: dict[str, str]) -> None:
        if texts:
            files = [{"path": path, "code": text, "keep": not self._minified(path)} for path, text in texts.items()]
            request = self.worker.post("modules", run=self._run, files=files, site=self.files.tree.site)
            self._requests.add(request)

    def _finish(self, text: dict[str, Any]) -> Module:
        _refuse(text)
        wanted = self._wanted.pop(text["path"])
        module = Module(wanted.path, text["code"], wanted.raw, wanted.edges, text.get("error", ""))
        self.shelf.put(wanted.key, module.to_bytes())
        return module

    def _key(self, path: str, code: str) -> str:
        return digest(code, path, self._toolchain, "minified" if self._minified(path) else "as written")

    def _minified(self, path: str) -> bool:
        return self.minify and not (self.as_written and path.startswith(self.as_written))


def _refuse(found: dict[str, Any]) -> None:
    problem = found.get("problem")
    if problem is None:
        return
    path, line, column = found["path"], problem["line"], problem["column"]
    message = f"{at(path, line, column)}: {problem['message']}"
    raise BundleError(ErrorCode.SYNTAX, message, file=path, line=line, column=column)
