"""What a worker's script needs with it: import maps do not reach workers, so the page puts their modules together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Links = Mapping[str, Iterable[tuple[str, str]]]  # path -> (kind, path)
Plan = dict[str, list[str]]

IMPORTS = {"static", "dynamic", "glob"}
STARTS = {"worker", "start"}


def plan(entry: str, links: Links, above: frozenset[str] = frozenset()) -> Plan:
    """`modules`: what the script imports, itself last, each after what it imports statically, as far as that goes.
    `rings`: modules that are imported before their turn, because modules import each other. `files`: whatever else
    it may ask for, with everything that scripts started by it need."""
    order = _Order(links)
    order.reach(entry)
    modules = [path for path in order.done if path != entry] + [entry]
    files: set[str] = set()
    for path in modules:
        for kind, target in links.get(path, ()):
            if kind in STARTS and target not in above and target != entry:
                inner = plan(target, links, above | {entry})
                files.update(inner["modules"], inner["files"])
            elif kind not in IMPORTS | STARTS:
                files.add(target)
    return {"modules": modules, "files": sorted(files - set(modules)), "rings": sorted(order.rings)}


@dataclass(slots=True)
class _Order:
    """Everything reached by imports, dependencies first. Iterative: import chains may be long."""

    links: Links
    done: dict[str, None] = field(default_factory=dict)
    rings: set[str] = field(default_factory=set)
    _open: dict[str, Iterator[tuple[str, str]]] = field(default_factory=dict)

    def reach(self, entry: str) -> None:
        later = [entry]  # what only dynamic imports lead to needs no order
        while later:
            path = later.pop()
            if path not in self.done:
                self._descend(path, later)

    def _descend(self, start: str, later: list[str]) -> None:
        self._enter(start)
        while self._open:
            path = next(reversed(self._open))
            if not self._further(self._open[path], later):
                del self._open[path]
                self.done[path] = None

    def _further(self, edges: Iterator[tuple[str, str]], later: list[str]) -> bool:
        """Goes one import deeper; false when there are none left."""
        for kind, target in edges:
            if kind in ("dynamic", "glob"):
                later.append(target)
            elif kind == "static" and target in self._open:
                self.rings.add(target)
            elif kind == "static" and target not in self.done:
                self._enter(target)
                return True
        return False

    def _enter(self, path: str) -> None:
        self._open[path] = iter(sorted(self.links.get(path, ())))
