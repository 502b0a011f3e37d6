import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from captures.browser import browser_options
from captures.engine.errors import CaptureError
from captures.engine.host import EngineHost
from captures.engine.options import MAX_HEIGHT
from captures.engine.spec import CaptureResult, CaptureSpec, File, Format, Mode, Progress, Start
from captures.local_folder import served
from captures.page_options import COLOR_SCHEMES
from captures.requests import parse
from oven.errors import BadRequest

PAGES = (".html", ".htm", ".xhtml", ".svg")  # endings that name a file and no piece
SIDES = (16, 4096)  # a machine of one's own has room for more than the service gives strangers


class Command(BaseCommand):
    help = "Grabs a piece, a page or a file into a picture: no server, no queue, no database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", help="a piece's name ($bloom), an address (https://…, file://…) or a file")
        parser.add_argument(
            "-o",
            "--output",
            required=True,
            action="append",
            help="the file to write; its ending says the format; several are made of one load",
        )
        parser.add_argument(
            "--format",
            action="append",
            choices=[f.value for f in Format],
            help="instead of the file's ending; several for one -o, whose ending each replaces",
        )
        parser.add_argument("--width", type=int, default=512, help="CSS pixels, 16 to 4096 (512)")
        parser.add_argument("--height", type=int, default=512, help="CSS pixels, 16 to 4096 (512)")
        parser.add_argument("--duration", type=float, default=12000, help="milliseconds captured (12000)")
        parser.add_argument("--fps", type=float, default=7.5, help="frames captured a second (7.5)")
        parser.add_argument(
            "--playback-fps", type=float, help="frames played a second (15; `--fps` with --real-time)"
        )
        parser.add_argument("--real-time", action="store_true", help="play at the speed of capture")
        parser.add_argument("--density", type=float, default=1, help="file pixels a CSS pixel (1)")
        parser.add_argument("--viewport-scale", type=float, help="the same, apart from the piece's own density")
        parser.add_argument("--quality", type=int, default=80, help="1 to 100, of WebP and MP4 (80)")
        parser.add_argument("--transparent", action="store_true", help="keep transparency (png, webp)")
        parser.add_argument(
            "--start",
            choices=[start.value for start in Start],
            default=Start.AUTO.value,
            help="first frame: at load, when the piece says it is ready, when it is idle (auto: ready, or else idle)",
        )
        parser.add_argument("--at", type=float, metavar="MS", help="milliseconds from the start to the first frame")
        parser.add_argument("--seed", type=int, help="make Math.random and crypto give the same numbers in every run")
        parser.add_argument("--date", help="where the page's Date starts, as 2026-01-31T12:00:00Z (now)")
        parser.add_argument(
            "--still",
            choices=["auto", "never"],
            default="auto",
            help="never: an animation even if nothing moves (auto)",
        )
        _add_page_arguments(parser)
        parser.add_argument("--mode", choices=[m.value for m in Mode], help="only this way of driving time")
        parser.add_argument("--quiet", action="store_true", help="no progress bar")

    def handle(self, *args: Any, **options: Any) -> None:
        outputs = targets([Path(name) for name in options["output"]], options["format"] or [])
        with ExitStack() as held:
            url = address(options["target"], held)
            spec = self._spec(options, [format_ for _, format_ in outputs], url)
            scratch = held.enter_context(tempfile.TemporaryDirectory(prefix="oven-grab-"))
            host = held.enter_context(EngineHost(browser_options(*origins(url))))
            bar = tqdm(
                total=100, unit="%", disable=options["quiet"] or None, bar_format="{desc:<34} {bar} {n:3.0f} %"
            )
            future = host.capture(spec, Path(scratch), lambda progress: _show(bar, progress))
            try:
                result = future.result()
            except KeyboardInterrupt:
                future.cancel()
                raise CommandError("Stopped.") from None
            except CaptureError as error:
                raise CommandError(f"{error.message} ({error.code})") from None
            finally:
                bar.close()
            for (output, _), file in zip(outputs, result.files, strict=True):
                output.parent.mkdir(parents=True, exist_ok=True)
                self.stdout.write(_summary(output, file, result))
                shutil.move(file.path, output)
            write_warnings(self, result)

    def _spec(self, options: dict[str, Any], formats: list[str], url: str) -> CaptureSpec:
        playback = options["playback_fps"] or (options["fps"] if options["real_time"] else 15.0)
        try:
            wish = parse(
                {
                    "piece": "page" if url else options["target"],
                    "format": formats[0],
                    "formats": formats if len(formats) > 1 else [],
                    "width": options["width"],
                    "height": options["height"],
                    "duration": options["duration"],
                    "fps": options["fps"],
                    "playbackFps": playback,
                    "density": options["density"],
                    "viewportScale": options["viewport_scale"],
                    "quality": options["quality"],
                    "transparent": options["transparent"],
                    **{name: options[name] for name in ("start", "at", "seed", "date", "still")},
                    **_page(options),
                },
                any_page=True,
                sides=SIDES,
                several=True,
            )
        except BadRequest as bad:
            raise CommandError(bad.message) from None
        spec = wish.to_spec()
        changes: dict[str, Any] = {}
        if url:  # the user's own machine: any address they like
            changes = {"url": url, "wait_for_idle": True}
        if options["mode"]:
            changes["modes"] = (Mode(options["mode"]),)
        return replace(spec, **changes)


def _add_page_arguments(parser: CommandParser) -> None:
    page = parser.add_argument_group("any page", "its visitor, and the part of it that is captured")
    page.add_argument("--selector", metavar="CSS", help="capture only the first element that matches")
    page.add_argument("--padding", type=int, metavar="PX", help="CSS pixels around that element (0)")
    page.add_argument(
        "--full-page", action="store_true", help=f"capture its whole height, at most {MAX_HEIGHT} CSS pixels"
    )
    page.add_argument("--click", action="append", metavar="CSS", help="click an element before; may be repeated")
    page.add_argument("--press", action="append", metavar="KEY", help="then press a key, as Enter or a; repeated")
    page.add_argument(
        "--wait-for", metavar="CSS|JS", help="wait until an element is there, or an expression becomes true"
    )
    page.add_argument("--user-agent", metavar="TEXT", help="what the browser calls itself")
    page.add_argument("--color-scheme", choices=COLOR_SCHEMES, help="what the page's visitor prefers")
    page.add_argument("--timezone", metavar="NAME", help="the visitor's time zone, as Europe/Berlin")
    page.add_argument("--locale", metavar="TAG", help="the visitor's language, as de-DE")
    page.add_argument(
        "--header", action="append", metavar="NAME:TEXT", help="sent with every request of the page; repeated"
    )
    page.add_argument("--cookie", action="append", metavar="NAME=TEXT", help="sent to the page's own host; repeated")


def _page(options: dict[str, Any]) -> dict[str, Any]:
    """Return the page's options by the contract's names. Raises CommandError."""
    return {
        **{name: options[name] for name in ("selector", "padding", "click", "press", "timezone", "locale")},
        "fullPage": options["full_page"],
        "waitFor": options["wait_for"],
        "userAgent": options["user_agent"],
        "colorScheme": options["color_scheme"],
        "headers": _pairs("--header", options["header"], ":"),
        "cookies": _pairs("--cookie", options["cookie"], "="),
    }


def _pairs(option: str, given: list[str] | None, sign: str) -> dict[str, str]:
    pairs = {}
    for text in given or []:
        name, found, value = text.partition(sign)
        if not found or not name.strip():
            raise CommandError(f"{option}: {text!r} is not a name, {sign!r} and a text.")
        pairs[name.strip()] = value.strip()
    return pairs


def targets(outputs: list[Path], formats: list[str]) -> list[tuple[Path, str]]:
    """Files and their formats. Raises CommandError when they do not go together."""
    if len(outputs) == 1 and len(formats) > 1:
        pairs = [(outputs[0].with_suffix(f".{format_}"), format_) for format_ in formats]
    elif formats and len(formats) != len(outputs):
        raise CommandError("--format: say it for none, for one or for every -o.")
    else:
        named = formats or [output.suffix.removeprefix(".").lower() for output in outputs]
        pairs = list(zip(outputs, named, strict=True))
    for output, format_ in pairs:
        if format_ not in [f.value for f in Format]:
            raise CommandError(f"{output}: end the name in {', '.join(Format)}, or say --format.")
    if len({format_ for _, format_ in pairs}) < len(pairs):
        raise CommandError("-o: each format once; the same file twice needs no second capture.")
    return pairs


def address(target: str, held: ExitStack) -> str:
    """Return the URL of a page or a file; empty for a piece's name. A file's folder is served until `held` ends.

    Raises CommandError for a file that is not there.
    """
    parts = urlsplit(target)
    if parts.scheme in ("http", "https", "data"):
        return target
    path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(target)
    if parts.scheme != "file" and path.suffix.lower() not in PAGES:
        return ""
    if not path.is_file():
        raise CommandError(f"{path}: there is no such file.")
    origin = held.enter_context(served(path.resolve().parent))
    return f"{origin}/{quote(path.name)}"


def write_warnings(command: BaseCommand, result: CaptureResult) -> None:
    """Write what may be missing or wrong in a capture to the terminal."""
    for warning in result.warnings:
        command.stderr.write(command.style.WARNING(f"Warning: {warning.message} ({warning.code})"))


def origins(url: str) -> list[str]:
    """Return what a target opens by being named: its own origin, also on this machine."""
    parts = urlsplit(url)
    return [f"{parts.scheme}://{parts.netloc}"] if parts.scheme in ("http", "https") else []


def _show(bar: Any, progress: Progress) -> None:
    bar.set_description_str(progress.detail or progress.stage, refresh=False)
    bar.update(max(0, progress.percent - bar.n))


def _summary(output: Path, file: File, result: CaptureResult) -> str:
    stands = result.still_reason and file.format.animated and file.frames == 1
    still = f", a still ({result.still_reason})" if stands else ""
    return (
        f"{output}: {file.format} {file.width}×{file.height}, {file.frames} frame{'s' * (file.frames != 1)}"
        f"{still}, {file.path.stat().st_size / 1024:.0f} kB; {result.mode} mode, "
        f"ready by {result.ready} at {result.ready_ms} ms"
    )
