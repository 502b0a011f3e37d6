"""`manage.py grab`: a picture from the shell, with no server, queue or database at hand."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from tests.e2e.held_site import HeldSite
from tests.e2e.stack import ROOT

FIXTURES = ROOT / "tests" / "fixtures" / "pieces"


@pytest.fixture
def shell(site: HeldSite, tmp_path: Path) -> Any:
    """Runs `manage.py grab` (or another command) where Redis and the database are out of reach."""
    data = tmp_path / "data"
    data.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OVEN_", "DJANGO_", "REDIS"))}
    env = {
        **kept,
        "OVEN_DATA": str(data),
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'nowhere' / 'no.sqlite3'}",
        "OVEN_PIECE_ORIGIN": site.origin,
    }

    def grab(*args: str, code: int = 0, verb: str = "grab") -> str:
        command = [sys.executable, str(ROOT / "manage.py"), verb, *args]
        done = subprocess.run(
            command, check=False, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == code, done.stderr
        assert not list(data.glob("*.sqlite3"))
        return done.stdout if code == 0 else done.stderr

    return grab


@pytest.fixture
def command(site: HeldSite, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a command in this process, without a database: it costs no start of Python. Return what it prints."""
    settings.OVEN_PIECE_ORIGIN = site.origin
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> str:
        output = io.StringIO()
        call_command(*args, stdout=output)
        return output.getvalue()

    return run


def test_a_piece_is_grabbed_by_its_name_into_the_format_of_the_file_s_ending(shell: Any, tmp_path: Path) -> None:
    said = shell("anim", "-o", "new/a.webp", "--width", "96", "--height", "64", "--duration", "1000", "--fps", "5")
    image = Image.open(tmp_path / "new" / "a.webp")
    assert (image.format, image.size, getattr(image, "n_frames", 1)) == ("WEBP", (96, 64), 5)
    assert said.startswith("new/a.webp: webp 96×64, 5 frames")


def test_a_kidlisp_piece_keeps_its_dollar(command: Callable[..., str], tmp_path: Path, site: HeldSite) -> None:
    before = site.count("/$roz?density=2&")  # the site serves other files' tests too
    command("grab", "$roz", "-o", "roz.png", "--width", "64", "--height", "64", "--density", "2", "--quiet")
    assert Image.open(tmp_path / "roz.png").size == (128, 128)
    assert site.count("/$roz?density=2&") - before == 1


def test_an_address_is_grabbed_with_a_format_of_its_own(
    command: Callable[..., str], tmp_path: Path, site: HeldSite
) -> None:
    options = [
        "--format",
        "gif",
        "--duration",
        "1000",
        "--fps",
        "4",
        "--real-time",
        "--width",
        "64",
        "--height",
        "64",
    ]
    command("grab", f"{site.origin}/anim~shell", "-o", "picture.bin", *options)
    image = Image.open(tmp_path / "picture.bin")
    assert (image.format, getattr(image, "n_frames", 1), image.info["duration"]) == ("GIF", 4, 250)
    assert [path for _, path in site.requests if "anim~shell" in path] == ["/anim~shell"]


def test_several_files_are_made_of_one_load(command: Callable[..., str], tmp_path: Path, site: HeldSite) -> None:
    size = ["--width", "64", "--height", "64", "--duration", "1000", "--fps", "4"]
    said = command("grab", "anim~both", "-o", "a.png", "-o", "new/b.webp", *size)
    assert [line.split(":")[0] for line in said.splitlines()] == ["a.png", "new/b.webp"]
    assert Image.open(tmp_path / "a.png").format == "PNG"
    assert getattr(Image.open(tmp_path / "new" / "b.webp"), "n_frames", 1) == 4
    command("grab", "anim~formats", "-o", "c.bin", "--format", "gif", "--format", "mp4", *size)
    assert Image.open(tmp_path / "c.gif").format == "GIF"
    assert (tmp_path / "c.mp4").read_bytes()[4:8] == b"ftyp"
    assert (site.count("/anim~both?"), site.count("/anim~formats?")) == (1, 1)


def test_a_file_is_grabbed(command: Callable[..., str], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><body style='margin:0;background:#c04020'>")
    command("grab", "page.html", "-o", "page.png", "--width", "40", "--height", "32")
    image = Image.open(tmp_path / "page.png").convert("RGB")
    assert image.size == (40, 32)
    assert image.getpixel((20, 16)) == (0xC0, 0x40, 0x20)


def test_the_folder_of_a_file_is_served_so_that_modules_and_data_load(
    command: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "part.mjs").write_text("export const color = (await (await fetch('./data.json')).json()).color;")
    (tmp_path / "data.json").write_text('{"color": "#208040"}')
    (tmp_path / "page.html").write_text(
        "<!doctype html><body style='margin:0'><script type=module>"
        "import { color } from './part.mjs'; document.body.style.background = color;</script>"
    )
    command("grab", "page.html", "-o", "page.png", "--width", "40", "--height", "32", "--quiet")
    assert Image.open(tmp_path / "page.png").convert("RGB").getpixel((20, 16)) == (0x20, 0x80, 0x40)


def test_a_file_that_is_not_there_is_named(command: Callable[..., str]) -> None:
    with pytest.raises(CommandError, match=r"pagee\.html: there is no such file"):
        command("grab", "pagee.html", "-o", "page.png")


def test_a_part_of_a_page_is_grabbed_after_a_click(command: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        "<!doctype html><body style='margin:0'><button style='position:fixed;inset:0;border:0;background:#c00'></button>"
        "<p id=part style='position:absolute;left:9px;top:8px;width:20px;height:10px;background:#00c;margin:0'></p>"
        "<script>document.querySelector('button').onclick = event => part.style.background = '#0c0'</script>"
    )
    size = ["--width", "60", "--height", "40", "--quiet"]
    options = ["--click", "button", "--selector", "#part", "--padding", "2", "--press", "a", "--header", "X-A: 1"]
    command("grab", "page.html", "-o", "part.png", *size, *options)
    image = Image.open(tmp_path / "part.png").convert("RGB")
    assert (image.size, image.getpixel((12, 7)), image.getpixel((0, 0))) == ((24, 14), (0, 0xCC, 0), (0xCC, 0, 0))
    with pytest.raises(CommandError, match="--cookie: 'x' is not a name"):
        command("grab", "page.html", "-o", "part.png", "--cookie", "x")


def test_what_is_missing_in_a_picture_is_said(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<!doctype html><h1>Page</h1><img src='missing.png' alt=''>")
    errors = io.StringIO()
    call_command("grab", str(tmp_path / "page.html"), "-o", str(tmp_path / "page.png"), quiet=True, stderr=errors)
    assert "Warning: A request failed: HTTP 404 http://127.0.0.1:" in errors.getvalue()


def test_a_failure_says_its_cause_and_leaves_no_file(shell: Any, tmp_path: Path) -> None:
    said = shell("bad-404", "-o", "a.png", code=1)
    assert "HTTP 404" in said and "http_status" in said and "Traceback" not in said
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["anim", "-o", "a.bmp"], "webp"),
        (["anim", "-o", "a"], "--format"),
        (["anim", "-o", "a.png", "--width", "15"], "width"),
        (["anim", "-o", "a.webp", "--fps", "0"], "fps"),
        (["anim", "-o", "a.gif", "--transparent"], "transparent"),
        (["anim", "-o", "a.gif", "--playback-fps", "60"], "playbackFps"),
        (["anim", "-o", "a.webp", "--duration", "30000", "--fps", "60"], "frames"),
        (["example.com", "-o", "a.png"], "piece"),
        (["anim"], "-o"),
        (["anim", "-o", "a.png", "-o", "b.gif", "--format", "png"], "--format"),
        (["anim", "-o", "a.png", "-o", "b.png"], "each format once"),
        (["anim", "-o", "a.png", "-o", "b.gif", "--transparent"], "transparent"),
        (["anim", "-o", "a.png", "--format", "bmp"], "invalid choice"),
        (["anim", "-o", "a.png", "--mode", "psychic"], "invalid choice"),
    ],
)
def test_a_wrong_option_is_named(args: list[str], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=word):
        call_command("grab", *args)
    assert not list(tmp_path.iterdir())


# --- bundle ---------------------------------------------------------------------------------------------------------


def test_a_piece_is_bundled(command: Callable[..., str], tmp_path: Path) -> None:
    out, plain = tmp_path / "orbit.html", tmp_path / "plain.html"
    assert "files in" in command("bundle", "orbit", "-o", str(out))
    assert out.read_text().startswith("<!doctype html>")
    command("bundle", "orbit", "-o", str(plain), "--no-compress", "--no-minify")
    assert "acPieceReady" in plain.read_text()
    assert plain.stat().st_size > out.stat().st_size


@pytest.mark.exhaustive("the gate has the error below, and a grab that ends with 1")
def test_a_bundle_that_cannot_be_made_ends_with_1(shell: Any, tmp_path: Path) -> None:
    said = shell("nope", "-o", str(tmp_path / "x.html"), verb="bundle", code=1)
    assert "There is no piece nope. (not_found)" in said
    assert "Traceback" not in said
    assert not (tmp_path / "x.html").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "There is no piece nope. (not_found)"),
        (["../x"], "bad_spec"),
        (["orbit", "--source", "nowhere"], "nowhere: there is no such folder."),
    ],
)
def test_a_bundle_that_cannot_be_made_is_explained(
    command: Callable[..., str], arguments: list[str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match=re.escape(said)):
        command("bundle", *arguments, "-o", str(tmp_path / "x.html"))
    assert not (tmp_path / "x.html").exists()
