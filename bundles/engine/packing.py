"""Bytes that come out the same wherever they are made: JSON for a script element, and gzip in base64."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from deflate import gzip_compress

LEVEL = 12
COMPRESSOR = f"libdeflate {LEVEL}"  # the same bytes everywhere, which a system's own zlib does not promise


def to_json(value: Any) -> str:
    """Compact JSON with sorted keys that may stand in a script element: no `<` in it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def compress(data: bytes) -> bytes:
    """gzip without a date. Small things are worth no less care: each is made once and kept."""
    return bytes(gzip_compress(data, LEVEL))


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def unpack(blob: str) -> Any:
    """The value behind a packed blob."""
    return json.loads(gzip.decompress(base64.b64decode(blob)))
