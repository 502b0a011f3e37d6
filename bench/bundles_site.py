"""The demo site with one piece more, `knot`, on all modules of three.js: as a tree, and served as it is.

`python -m bench.bundles_site ROOT` prints its address and serves until its input ends.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from bench.facts import ROOT
from bundles.engine.spec import BundleSpec, SourceTree
from pieces import serve
from pieces.serve import PieceHandler, Query, make_server
from tests.bundles.demo import spec_for
from tests.bundles.packages import copy_into

KNOT = "knot"
HERE = Path(__file__).resolve().parent
NOW = datetime(2026, 2, 13, 21, 5, 9, tzinfo=UTC)


def make_tree(root: Path) -> SourceTree:
    shutil.copytree(ROOT / "pieces", root, ignore=shutil.ignore_patterns("__pycache__"))
    copy_into(root, "three/src")
    shutil.copy(HERE / "pieces" / f"{KNOT}.mjs", root / "pieces")
    entries = json.loads((root / "catalog.json").read_text())
    entries.append({"name": KNOT, "kind": "webgl", "about": "All of three.js."})
    (root / "catalog.json").write_text(json.dumps(entries))
    return SourceTree(root)


def spec(name: str) -> BundleSpec:
    return BundleSpec(NOW, piece=KNOT) if name == KNOT else spec_for(name)


class Site:
    """The server, as a process of its own."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "bench.bundles_site", str(self._root)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.origin = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def url(self, name: str) -> str:
        return f"{self.origin}/{name.replace('$', '%24')}?nolabel=true&nogap=true"


class Handler(PieceHandler):
    def respond(self, path: str, query: Query) -> None:
        if path.startswith("/npm/") and path.endswith(".js") and ".." not in path:
            self.send_module(serve.HERE / path.lstrip("/"))
        else:
            super().respond(path, query)


def page_for_vite(root: Path, name: str) -> dict[str, Any]:
    """Writes the site's own page of a piece for Vite to start from; what to ask of the peer."""
    text = serve.piece_page(f"/{name}", {"nolabel": ["true"], "nogap": ["true"]})
    assert text is not None
    lines = [line for line in text.splitlines() if "modulepreload" not in line]  # they are part of the page now
    page = f"{name.lstrip('$')}.html"
    (root / page).write_text("\n".join(lines))
    module = "runtime/kidlisp-piece.mjs" if name.startswith("$") else f"pieces/{name}.mjs"
    return {"root": str(root), "page": page, "replace": {"import(config.module)": f'import("/{module}")'}}


def use(root: Path) -> None:
    """From here on, this process' site is the one in `root`."""
    serve.HERE = root
    serve.catalog.cache_clear()


def main() -> None:
    use(Path(sys.argv[1]))
    with make_server("127.0.0.1", 0, Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
