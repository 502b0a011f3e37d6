"""What is asked of the engine, and what comes back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from bundles.engine.errors import BundleError, ErrorCode

PIECE_NAME = re.compile(r"[a-z0-9_-]+(/[a-z0-9_-]+)*")
PROGRAM_CODE = re.compile(r"[A-Za-z0-9_-]+")
GLOBAL_PREFIX = re.compile(r"[A-Za-z_$][\w$]*")
LONGEST_NAME = 100


class Stage(StrEnum):
    """The names that callers of the event stream know, in no particular order."""

    INIT = "init"
    FETCH = "fetch"
    DEPS = "deps"
    CACHE_HIT = "cache-hit"
    DISCOVER = "discover"
    MINIFY = "minify"
    FONTS = "fonts"
    PIECE = "piece"
    PAINTINGS = "paintings"
    GENERATE = "generate"
    COMPRESS = "compress"


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of a bundle. `done` of `total` files where they are counted."""

    stage: Stage
    message: str
    done: int = 0
    total: int = 0


OnProgress = Callable[[Progress], None]


def quiet(_: Progress) -> None:
    """Reports to nobody."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one tree may take."""

    files: int = 5_000
    file_bytes: int = 32 << 20
    total_bytes: int = 128 << 20
    programs: int = 64
    program_bytes: int = 1 << 20  # of all sources together
    pictures: int = 64
    picture_bytes: int = 8 << 20  # of one


@dataclass(frozen=True, slots=True)
class SourceTree:
    """The site's public files below `root`, and where in them things are. Paths have no leading slash.

    `seeds` are the modules that the core starts from, `boot` the one that the page starts, `include` patterns of
    files that nothing imports but the runtime asks for. Modules below `pieces` are shipped as they were written.
    `aliases` is what an import map of the site says about bare names; `origins` are addresses that mean the root.
    """

    root: Path
    seeds: tuple[str, ...] = ("runtime/main.mjs", "runtime/kidlisp-piece.mjs")
    boot: str = "runtime/main.mjs"
    include: tuple[str, ...] = ()
    pieces: str = "pieces/"
    suffix: str = ".mjs"
    program_module: str = "runtime/kidlisp-piece.mjs"
    aliases: Mapping[str, str] = field(default_factory=dict)
    origins: tuple[str, ...] = ()
    limits: Limits = Limits()

    def piece_path(self, name: str) -> str:
        return f"{self.pieces}{name}{self.suffix}"

    @property
    def site(self) -> dict[str, object]:
        """What decides where an import leads."""
        return {"aliases": dict(sorted(self.aliases.items())), "origins": list(self.origins)}


STYLE = """\
html, body { margin: 0; height: 100%; overflow: hidden; background: {background}; }
#aesthetic-computer { position: fixed; inset: 0; overflow: hidden; touch-action: none; }
#aesthetic-computer > canvas, #aesthetic-computer > svg {
  display: block; width: 100%; height: 100%; image-rendering: pixelated;
}"""
BODY = '<main id="aesthetic-computer"></main><script type="application/json" id="piece">{config}</script>'


@dataclass(frozen=True, slots=True)
class SiteShape:
    """What the site's runtime expects of its page. In `style` and `body` names in braces are filled in:
    `{background}`, `{config}` (JSON for the runtime, already escaped) and `{name}`."""

    title: str = "{name} · oven pieces"
    prefix: str = "ac"  # of the globals that the runtime looks at
    style: str = STYLE
    body: str = BODY
    background: str = "#15121c"
    program_path: str = "pieces/{code}.lisp"
    picture_path: str = "paintings/{code}.png"
    programs_api: str = "/api/store-kidlisp"
    pictures_api: str = "/api/painting-code"
    media_path: str = "media/"

    def __post_init__(self) -> None:
        if not GLOBAL_PREFIX.fullmatch(self.prefix):
            raise BundleError(ErrorCode.BAD_SPEC, "the prefix of the globals must be a JavaScript name")


@dataclass(frozen=True, slots=True)
class Program:
    """A KidLisp program as its site knows it."""

    source: str
    author: str = ""  # handle, with or without @
    user_code: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A painting that a program names: a PNG, whose it is and what it is called."""

    png: bytes
    handle: str = "anon"
    slug: str = ""


class ProgramSite(Protocol):
    """Where programs come from. None: there is no such thing; any exception: it could not be asked."""

    def fetch_source(self, code: str) -> Program | None: ...

    def fetch_image(self, code: str) -> Picture | None: ...


@dataclass(frozen=True, slots=True)
class BundleSpec:
    """One bundle: of a piece, or of a program by its code (a leading `$` is dropped).

    `now` (with a time zone: the file name uses its clock) and `version` are written into the page, outside of what is
    compressed. `background` overrides the site's. Raises BundleError(BAD_SPEC).
    """

    now: datetime
    piece: str = ""
    code: str = ""
    params: tuple[str, ...] = ()
    version: str = "unknown"
    compress: bool = True
    minify: bool = True
    density: int = 0
    author: str = ""
    background: str = ""
    shape: SiteShape = SiteShape()
    programs: ProgramSite | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", self.code.removeprefix("$"))
        if not self.piece and not self.code:
            raise BundleError(ErrorCode.BAD_SPEC, "neither a piece nor a code is named")
        if self.piece and not (PIECE_NAME.fullmatch(self.piece) and len(self.piece) <= LONGEST_NAME):
            raise BundleError(ErrorCode.BAD_SPEC, "a piece's name is of a-z, 0-9, _ and -, and / between folders")
        if not self.piece and not (PROGRAM_CODE.fullmatch(self.code) and len(self.code) <= LONGEST_NAME):
            raise BundleError(ErrorCode.BAD_SPEC, "a code is of letters, digits, _ and -")
        if self.now.utcoffset() is None:
            raise BundleError(ErrorCode.BAD_SPEC, "the date needs a time zone")
        if not 0 <= self.density <= 16:
            raise BundleError(ErrorCode.BAD_SPEC, "the density must be 1 to 16, or 0 for the screen's own")

    @property
    def is_program(self) -> bool:
        return not self.piece

    @property
    def name(self) -> str:
        return self.piece or f"${self.code}"


@dataclass(frozen=True, slots=True)
class FileSize:
    """A file of the core: bytes as it lies in the tree, and as it is shipped."""

    path: str
    raw: int
    packed: int
    error: str = ""  # of the minifier, which left the file as it was


@dataclass(frozen=True, slots=True)
class CoreResult:
    """The runtime, packed. `key` is the hash of everything that shapes it; equal keys have equal bytes."""

    key: str
    blob: str  # base64 of the gzipped JSON
    gzip_bytes: int
    files: tuple[FileSize, ...]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]  # what may fail when it runs: a missing dynamic import, for one
    links: Mapping[str, tuple[tuple[str, str], ...]]  # what each module leads to: kind of edge, path
    ms: int  # of the build that made it
    minified: bool

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(file.path for file in self.files)

    @property
    def raw_bytes(self) -> int:
        return sum(file.raw for file in self.files)

    @property
    def minified_bytes(self) -> int:
        return sum(file.packed for file in self.files)


@dataclass(frozen=True, slots=True)
class BundleResult:
    """A finished page. The last fields are of programs only."""

    html: bytes
    filename: str
    size_kb: int
    key: str  # of the content; dates and versions do not count
    core_key: str
    file_count: int
    warnings: tuple[str, ...] = ()
    pack_date: str = ""
    source_code: str = ""
    author_handle: str = ""
    user_code: str | None = None
    dep_count: int = 0
    spans: dict[str, int] = field(default_factory=dict)  # milliseconds
