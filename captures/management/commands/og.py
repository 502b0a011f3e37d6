import tempfile
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from captures.browser import browser_options
from captures.engine.cards.compose import compose, frames_of, shot_of
from captures.engine.cards.spec import Layout, Piece, Shot, Shown
from captures.engine.errors import CaptureError
from captures.engine.host import EngineHost
from captures.engine.spec import CaptureResult
from captures.og_images.listing import ListError, top_pieces
from captures.og_images.models import today
from captures.og_images.planning import choices, wish_of
from oven.egress.client import background


class Command(BaseCommand):
    help = "Makes the social cards with a browser of its own: no server, no queue, no database. Default: all of them."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        names = ", ".join(Layout)
        parser.add_argument("layouts", nargs="*", metavar="LAYOUT", help=f"{names} (all)")
        parser.add_argument("--out", type=Path, default=Path(), help="the directory to write to (here)")
        parser.add_argument("--force", action="store_true", help="write over files that are there")
        parser.add_argument("--quiet", action="store_true", help="no progress bar")

    def handle(self, *args: Any, **options: Any) -> None:
        paths = {layout: self._path(options["out"], layout) for layout in _layouts(options["layouts"])}
        there = [path for path in paths.values() if path.exists()]
        if there and not options["force"]:
            raise CommandError(f"{there[0]} is there already: say --force to write over it.")
        options["out"].mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix="oven-og-") as scratch,
            EngineHost(browser_options()) as host,
            tqdm(disable=options["quiet"] or None, unit=" pieces") as bar,
        ):
            maker = Maker(host, Path(scratch), bar)
            for layout, path in paths.items():
                try:
                    path.write_bytes(maker.make(layout))
                except (ListError, CaptureError) as error:
                    raise CommandError(f"{layout}: {error.message}") from None
                bar.clear()
                self.stdout.write(f"{path}: {path.stat().st_size / 1024:.0f} kB")

    @staticmethod
    def _path(out: Path, layout: Layout) -> Path:
        return out / f"{layout}.{'webp' if layout is Layout.BACKDROP else 'png'}"


class Maker:
    """Makes one card after the other, with one browser."""

    def __init__(self, host: EngineHost, scratch: Path, bar: Any) -> None:
        self.host, self.scratch, self.bar = host, scratch, bar

    def make(self, layout: Layout) -> bytes:
        """The file of a card. Raises ListError, and CaptureError when none of its pieces can be captured."""
        shot = shot_of(layout)
        if shot is None:
            return compose(layout, [])
        pieces = background(top_pieces(layout)).result()
        problem: CaptureError | None = None
        for chosen in choices(layout, pieces, today()):
            taken, problem = self._take(layout, chosen, shot)
            if not taken:
                continue
            if layout is Layout.BACKDROP:
                return taken[0][1].path.read_bytes()
            return compose(layout, [Shown(piece, frames_of(done.path, shot.frames)) for piece, done in taken])
        assert problem is not None
        raise problem

    def _take(
        self, layout: Layout, pieces: list[Piece], shot: Shot
    ) -> tuple[list[tuple[Piece, CaptureResult]], CaptureError | None]:
        taken, problem = [], None
        for index, piece in enumerate(pieces):
            self.bar.set_description_str(f"{layout}: {piece.name}")
            place = self.scratch / f"{layout}-{index}-{piece.code.encode().hex()[:40]}"
            place.mkdir(exist_ok=True)
            work: Future[CaptureResult] = self.host.capture(wish_of(piece, shot).to_spec(), place)
            try:
                taken.append((piece, work.result()))
            except KeyboardInterrupt:
                work.cancel()
                raise CommandError("Stopped.") from None
            except CaptureError as error:
                problem = error
                self.bar.write(f"{piece.name} is left out: {error.message} ({error.code})")
            self.bar.update()
        return taken, problem


def _layouts(names: list[str]) -> list[Layout]:
    for name in names:
        if name not in list(Layout):
            raise CommandError(f"{name}: there is no such layout. Known: {', '.join(Layout)}.")
    return [Layout(name) for name in dict.fromkeys(names)] or list(Layout)
