"""A graph of files as the page reads it, and the JSON around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bundles.engine.files import is_script, suffix
from bundles.engine.graph import Graph
from bundles.engine.node import NodeWorker
from bundles.engine.packing import to_base64
from bundles.engine.threads import Links, plan

Record = dict[str, Any]


def record(path: str, content: str | bytes) -> Record:
    """A file of the page's file system."""
    kind = suffix(path).removeprefix(".")
    if isinstance(content, bytes):
        return {"content": to_base64(content), "binary": True, "type": kind}
    return {"content": content, "type": kind}


def records(graph: Graph) -> dict[str, Record]:
    contents: dict[str, str | bytes] = {path: module.code for path, module in graph.modules.items()}
    contents |= graph.texts
    contents |= graph.binaries
    return {path: record(path, content) for path, content in contents.items()}


def worker_parts(
    starts: Iterable[str], links: Links, text_of: Callable[[str], str | None], node: NodeWorker
) -> dict[str, Any]:
    """`workers`, a plan for each script with a thread of its own; the `cuts` in all modules they import; and the
    `exports` of those are imported before their turn."""
    plans = {path: plan(path, links) for path in sorted(starts)}
    paths = sorted({path for found in plans.values() for path in [*found["modules"], *found["files"]]})
    texts = {path: text for path in paths if is_script(path) and (text := text_of(path)) is not None}
    looks = dict(zip(texts, _looks(list(texts.values()), node), strict=True))
    rings = sorted({path for found in plans.values() for path in found["rings"]})
    return {
        "workers": plans,
        "cuts": {path: look["cuts"] for path, look in looks.items() if look["cuts"]},
        "exports": {path: sorted(_exported(path, looks, set())) for path in rings},
    }


def _looks(texts: list[str], node: NodeWorker) -> list[dict[str, Any]]:
    return list(next(node.ask("cuts", texts=texts))["cuts"]) if texts else []


def _exported(path: str, looks: dict[str, dict[str, Any]], seen: set[str]) -> set[str]:
    """Names that a module exports, also by way of others."""
    if path in seen or path not in looks:
        return set()
    seen.add(path)
    through = [_exported(star, looks, seen) - {"default"} for star in looks[path]["stars"]]
    return set(looks[path]["names"]).union(*through)
