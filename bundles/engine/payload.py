"""A graph of files as the page reads it, and the JSON around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bundles.engine.files import suffix
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
    """`workers`, a plan for each script with a thread of its own, and the `cuts` in all modules they import."""
    plans = {path: plan(path, links) for path in sorted(starts)}
    paths = sorted({path for found in plans.values() for path in [*found["modules"], *found["files"]]})
    scripts = {path: text for path in paths if path in links and (text := text_of(path)) is not None}
    if not scripts:
        return {"workers": plans, "cuts": {}}
    answer = next(node.ask("cuts", texts=list(scripts.values())))["cuts"]
    return {"workers": plans, "cuts": {path: cuts for path, cuts in zip(scripts, answer, strict=True) if cuts}}
