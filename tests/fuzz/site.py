"""A piece site without pieces: whatever is asked of it, it answers at once that there is none."""

from __future__ import annotations

from tests.piece_server import PieceServer, TestPieceHandler


class NoPiecesHandler(TestPieceHandler):
    def do_GET(self) -> None:
        self.fail(404)


class NoPieces(PieceServer):
    def __init__(self) -> None:
        super().__init__(handler=NoPiecesHandler)
