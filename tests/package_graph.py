"""The import graph of the project's own packages, type-only imports and those inside of functions included.

`python -m tests.package_graph` prints it as a Mermaid diagram; with `--write` it goes into docs/architecture.md.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    *("oven_site", "demo", "chaos", "dashboard", "bundles", "bakes", "pins", "captures", "oven", "supervisor"),
)
DOCUMENT = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- package graph: python -m tests.package_graph --write -->\n", "<!-- end -->\n"
Graph = Mapping[str, set[str]]


@cache
def modules() -> dict[str, Path]:
    """Return the file of every module by its dotted name, migrations left out."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if not {"migrations", "node_modules"} & set(path.parts):
                found[".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


@cache
def module_graph() -> Graph:
    """Return which modules each module imports."""
    return {name: set(_imports(name, path)) - {name} for name, path in modules().items()}


def _imports(name: str, path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{name} has a relative import"
            full = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (each if each in modules() else node.module for each in full if node.module in modules())


def package_of(module: str) -> str:
    """Return an app, or a part of the platform such as `oven.jobs` or `oven.ops.health`."""
    parts = module.split(".")
    if parts[0] != "oven":
        return parts[0]
    depth = 3 if parts[1:2] == ["ops"] else 2
    name = ".".join(parts[:depth])
    return name if (ROOT / Path(*name.split("."))).is_dir() and len(parts) > 1 else "oven.*"


@cache
def package_graph() -> Graph:
    """Return which packages each package imports. Modules at the top of the platform are `oven.*`."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, imported in module_graph().items():
        found[package_of(name)] |= {package_of(other) for other in imported} - {package_of(name)}
    return dict(found)


def cycles(graph: Graph) -> list[list[str]]:
    """Return the strongly connected components of more than one node."""
    order: list[str] = []
    seen: set[str] = set()
    reverse: dict[str, set[str]] = defaultdict(set)
    for node, targets in graph.items():
        for target in targets:
            reverse[target].add(node)
    for start in graph:
        stack = [(start, iter(sorted(graph.get(start, ()))))] if start not in seen else []
        seen.add(start)
        while stack:
            node, targets_left = stack[-1]
            following = next((target for target in targets_left if target not in seen), None)
            if following is None:
                order.append(node)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(sorted(graph.get(following, ())))))
    found, done = [], set[str]()
    for node in reversed(order):
        component, todo = [], [node]
        while todo:
            each = todo.pop()
            if each not in done:
                done.add(each)
                component.append(each)
                todo += reverse[each]
        if len(component) > 1:
            found.append(sorted(component))
    return found


def reduced(graph: Graph) -> Graph:
    """Return an acyclic graph without the edges that follow from others."""
    below: dict[str, set[str]] = {}

    def reach(node: str) -> set[str]:
        if node not in below:
            below[node] = {other for target in graph.get(node, ()) for other in (target, *reach(target))}
        return below[node]

    return {
        node: {t for t in targets if not any(t in reach(other) for other in targets - {t})}
        for node, targets in graph.items()
    }


def diagram() -> str:
    """Return the package graph as Mermaid: an arrow for every import that does not follow from others."""
    lines = ["```mermaid", "graph TD"]
    for node, targets in reduced(package_graph()).items():
        lines += [
            f"    {node.replace('.*', '')}[{node}] --> {target.replace('.*', '')}[{target}]"
            for target in sorted(targets)
        ]
    return "\n".join([*lines, "```", ""])


def documented() -> str:
    """Return the document with the diagram as it is now."""
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + diagram() + END + rest.partition(END)[2]


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        DOCUMENT.write_text(documented())
    else:
        print(diagram(), end="")
