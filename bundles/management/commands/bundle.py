import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from bundles import source_tree
from bundles.engine.engine import Engine
from bundles.engine.errors import BundleError
from bundles.engine.spec import BundleSpec, Progress
from bundles.process_engine import options as engine_options
from bundles.program_client import Site


class Command(BaseCommand):
    help = "Bundles a piece and its runtime into one HTML file that runs offline: no server, no queue, no database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("piece", help="a piece's name, or a program's with its $ ($bloom)")
        parser.add_argument("-o", "--output", type=Path, required=True, help="the HTML file to write")
        parser.add_argument("--source", type=Path, help="the source tree (OVEN_BUNDLE_SOURCE)")
        parser.add_argument("--no-compress", action="store_true", help="a page that can be read")
        parser.add_argument("--no-minify", action="store_true", help="modules as they were written")
        parser.add_argument(
            "--density", type=int, default=0, help="CSS pixels to a side of an art pixel (the screen's own pixels)"
        )
        parser.add_argument("--quiet", action="store_true", help="no progress bar")

    def handle(self, *args: Any, **options: Any) -> None:
        root = options["source"]
        if root and not root.is_dir():
            raise CommandError(f"{root}: there is no such folder.")
        with tempfile.TemporaryDirectory(prefix="oven-bundle-") as cache:
            try:
                spec = self._spec(options)
                with Engine(engine_options(Path(cache))) as engine:
                    result = engine.bundle(spec, source_tree.source_tree(root), _bar(options["quiet"]))
            except KeyboardInterrupt:
                raise CommandError("Stopped.") from None
            except BundleError as error:
                raise CommandError(f"{error.message} ({error.code})") from None
        options["output"].parent.mkdir(parents=True, exist_ok=True)
        options["output"].write_bytes(result.html)
        for warning in result.warnings:
            self.stdout.write(f"  {warning}")
        self.stdout.write(f"{options['output']}: {result.file_count} files in {result.size_kb} kB")

    def _spec(self, options: dict[str, Any]) -> BundleSpec:
        name, root = options["piece"], options["source"]
        return BundleSpec(
            now=timezone.now(),
            piece="" if name.startswith("$") else name,
            code=name if name.startswith("$") else "",
            version=source_tree.version(root),
            compress=not options["no_compress"],
            minify=not options["no_minify"],
            density=options["density"],
            shape=source_tree.site_shape(),
            programs=Site(),
        )


def _bar(quiet: bool) -> Any:
    """Shows each step; a bundle takes a second or two."""
    bar = tqdm(disable=quiet or None, bar_format="{desc}")
    return lambda progress: _show(bar, progress)


def _show(bar: Any, progress: Progress) -> None:
    of = f" {progress.done}/{progress.total}" if progress.total else ""
    bar.set_description_str(f"{progress.message}{of}")
