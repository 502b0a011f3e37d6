import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from tqdm import tqdm

from captures.browser import browser_options
from captures.engine.errors import CaptureError
from captures.engine.host import EngineHost
from captures.models import ScreenshotPreset
from captures.requests import check_piece
from captures.screenshots import requests
from oven.errors import BadRequest


class Command(BaseCommand):
    help = "Captures a piece's store screenshots into a folder: no server, no queue."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("piece", help="a piece's name ($bloom)")
        parser.add_argument("-o", "--output", required=True, help="the folder; each category gets one in it")
        parser.add_argument("--preset", action="append", help="only this one; may be said again (default: all)")
        parser.add_argument("--quiet", action="store_true", help="no progress bar")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            piece = check_piece(options["piece"])
            chosen = self._chosen(options["preset"])
        except BadRequest as bad:
            raise CommandError(bad.message) from None
        except DatabaseError as error:
            raise CommandError(f"The presets cannot be read ({error}): run bin/oven once.") from None
        failed = self._capture_all(piece, chosen, Path(options["output"]), options["quiet"])
        if failed:
            raise CommandError(f"{len(failed)} of {len(chosen)} failed: {'; '.join(failed)}")

    def _chosen(self, names: list[str] | None) -> list[ScreenshotPreset]:
        return [requests.preset_named(name) for name in names] if names else requests.presets()

    def _capture_all(self, piece: str, presets: list[ScreenshotPreset], folder: Path, quiet: bool) -> list[str]:
        """Why any failed; the others are captured all the same."""
        failed = []
        with EngineHost(browser_options()) as host:
            for preset in tqdm(presets, unit="shot", disable=quiet or None):
                target = folder / preset.category / f"{requests.file_name(piece)}-{preset.name}.png"
                try:
                    self._capture(host, requests.wish_of(preset, piece).to_spec(), target)
                except CaptureError as error:
                    failed.append(f"{preset.name}: {error.message} ({error.code})")
                else:
                    self.stdout.write(f"{target}: {preset.width}×{preset.height}")
        return failed

    def _capture(self, host: EngineHost, spec: Any, target: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="oven-shot-") as scratch:
            result = host.capture(spec, Path(scratch)).result()
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(result.path, target)
