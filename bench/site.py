"""The piece site as a process of its own, so that it is no part of what is measured.

`python -m bench.site` prints its address and serves until its input ends.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Self

from bench.facts import ROOT
from tests.piece_server import PieceServer

QUERY = "density=1&tv=true&nolabel=true&nogap=true&spoofaudio=true"


class Site:
    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.site"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.origin = self._process.stdout.readline().strip()
        self.pid = self._process.pid
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def url(self, piece: str) -> str:
        """The address that Oven itself opens for a piece."""
        return f"{self.origin}/{piece}?{QUERY}"


def main() -> None:
    with PieceServer() as server:
        print(server.origin, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
