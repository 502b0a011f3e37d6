"""What a worker's script needs with it: import maps do not reach workers, so the page puts their modules together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bundles.engine.errors import BundleError, ErrorCode

Links = Mapping[str, Iterable[tuple[str, str]]]  # path -> (kind, path)

IMPORTS = {"static", "dynamic", "glob"}
STARTS = {"worker", "start"}


def plan(entry: str, links: Links, planned: frozenset[str] = frozenset()) -> dict[str, list[str]]:
    """`modules`: what the script imports, itself last, each after what it imports statically. `files`: whatever else
    it may ask for, with everything that scripts started by it need. Raises BundleError(WORKER_CYCLE)."""
    modules = _in_order(entry, links)
    files: set[str] = set()
    for path in modules:
        for kind, target in links.get(path, ()):
            if kind in STARTS and target not in planned and target != entry:
                inner = plan(target, links, planned | {entry})
                files.update(inner["modules"], inner["files"])
            elif kind not in IMPORTS | STARTS:
                files.add(target)
    return {"modules": modules, "files": sorted(files - set(modules))}


def _in_order(entry: str, links: Links) -> list[str]:
    """Everything reached by imports, dependencies first. Iterative: import chains may be long."""
    order: dict[str, None] = {}
    later = [entry]  # reached by dynamic imports alone: they need no order
    while later:
        _depth_first(later.pop(), links, order, later)
    return [path for path in order if path != entry] + [entry]


def _depth_first(start: str, links: Links, order: dict[str, None], later: list[str]) -> None:
    if start in order:
        return
    open_: dict[str, Any] = {start: iter(sorted(links.get(start, ())))}
    while open_:
        path = next(reversed(open_))
        for kind, target in open_[path]:
            if kind in ("dynamic", "glob"):
                later.append(target)
            elif kind == "static" and target in open_:
                raise _cycle([*open_], target)
            elif kind == "static" and target not in order:
                open_[target] = iter(sorted(links.get(target, ())))
                break
        else:
            del open_[path]
            order[path] = None


def _cycle(chain: list[str], target: str) -> BundleError:
    ring = " → ".join([*chain[chain.index(target) :], target])
    message = f"Modules that a worker imports must not import each other in a ring: {ring}"
    return BundleError(ErrorCode.WORKER_CYCLE, message, file=target)
