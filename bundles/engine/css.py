"""Style sheets that need nothing else: what they import and show is put into them."""

from __future__ import annotations

import base64
import posixpath
import re
from collections.abc import Callable
from urllib.parse import unquote

from bundles.engine.files import Files, suffix
from bundles.engine.mime import mime_type

STRING = r"""(?:"(?P<{0}d>(?:[^"\\\n]|\\.)*)"|'(?P<{0}s>(?:[^'\\\n]|\\.)*)')"""
URL = rf"url\(\s*(?:{STRING.format('u')}|(?P<ub>[^\s\"'()]+))\s*\)"
IMPORT = rf"@import\s+(?:{URL}|{STRING.format('i')})(?P<media>[^;]*);?"
TOKEN = re.compile(rf"/\*.*?\*/|{IMPORT}|{URL.replace('<u', '<w')}|{STRING.format('x')}", re.S | re.I)
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:|//|#", re.I)
DEEPEST = 20

Warn = Callable[[str], None]


def self_contained(path: str, files: Files, warn: Warn, above: tuple[str, ...] = ()) -> str:
    """The text of a style sheet with imported sheets in their place and files as data URLs.

    What is missing is left as it is, with a warning; so is what comes from another site.
    """

    def put(found: re.Match[str]) -> str:
        target = _first(found, "ud", "us", "ub", "id", "is")
        if target is not None:
            return _sheet(found, target, path, files, warn, above)
        target = _first(found, "wd", "ws", "wb")
        return found[0] if target is None else _file(found[0], target, path, files, warn)

    return TOKEN.sub(put, files.read_text(path))


def _first(found: re.Match[str], *names: str) -> str | None:
    return next((found[name] for name in names if found[name] is not None), None)


def _sheet(found: re.Match[str], target: str, path: str, files: Files, warn: Warn, above: tuple[str, ...]) -> str:
    inner = _target(target, path, files, warn)
    if not inner:
        return found[0]
    if inner in (path, *above) or len(above) > DEEPEST:
        return ""
    text = self_contained(inner, files, warn, (*above, path))
    media = found["media"].strip()
    return f"@media {media} {{\n{text}\n}}" if media else text


def _file(whole: str, target: str, path: str, files: Files, warn: Warn) -> str:
    inner = _target(target, path, files, warn)
    if not inner:
        return whole
    data = base64.b64encode(files.read(inner)).decode("ascii")
    _, mark, fragment = target.partition("#")
    return f'url("data:{mime_type(suffix(inner))};base64,{data}{mark}{fragment}")'


def _target(text: str, path: str, files: Files, warn: Warn) -> str:
    """The path of an existing file that is meant, or nothing."""
    if SCHEME.match(text):
        return ""
    name = unquote(re.sub(r"[?#].*$", "", text, flags=re.S))
    folder = "" if name.startswith("/") else posixpath.dirname(path)
    found = posixpath.normpath(posixpath.join(folder, name.lstrip("/")))
    if found.startswith("../") or not files.exists(found):
        warn(f"{path} names {text}, which is not there")
        return ""
    return found
