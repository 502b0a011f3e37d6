"""A piece for devices that are online: a page around the live site, and a Max for Live device around a bundle."""

from __future__ import annotations

import base64
import html
import json
import struct
from typing import Any

DEVICE_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, user-scalable=no">
<title>{title}</title>
<style>
html, body {{ margin: 0; height: 100%; overflow: hidden; background: #000; }}
iframe {{ display: block; width: 100%; height: 100%; border: 0; }}
</style>
</head>
<body>
<iframe src="{address}" title="{title}" allow="autoplay; fullscreen; gamepad; microphone; midi"></iframe>
</body>
</html>
"""

# Chunks of a device file: a tag, a little-endian length, the content. `iiii` is an instrument.
AMXD_HEAD = b"ampf" + struct.pack("<I", 4) + b"iiii" + b"meta" + struct.pack("<II", 4, 0) + b"ptch"
VIEW_WIDTH, VIEW_HEIGHT = 400, 200
LOG_PORT = 7777  # of this computer: what the page logs can be listened to there


def device_page(address: str, title: str) -> str:
    """A page that is one full-screen frame on an address of the live site."""
    return DEVICE_PAGE.format(address=html.escape(address), title=html.escape(title))


def m4d_name(piece: str) -> str:
    return f"AC {piece.replace('/', '-')} (offline).amxd"


def m4d_device(page: bytes, piece: str) -> bytes:
    """A Max for Live device whose view is the page, as a data address."""
    address = "data:text/html;base64," + base64.b64encode(page).decode("ascii")
    patcher = json.dumps({"patcher": _patcher(address, piece)}, indent=1).encode() + b"\n\0"
    return AMXD_HEAD + struct.pack("<I", len(patcher)) + patcher


def _patcher(address: str, piece: str) -> dict[str, Any]:
    view = [0.0, 0.0, float(VIEW_WIDTH), float(VIEW_HEIGHT)]
    boxes = [
        _box(
            "view",
            "jweb~",
            view,
            inlets=1,
            outlets=3,
            url=address,
            rendermode=1,
            presentation=1,
            presentation_rect=view,
        ),
        _new("out", "plugout~ 1 2", 220.0),
        _new("pick", "route log error warn", 260.0, outlets=4),
        _new("send", f"udpsend 127.0.0.1 {LOG_PORT}", 300.0),
    ]
    lines = [("view", 0, "out", 0), ("view", 1, "out", 1), ("view", 2, "pick", 0)]
    lines += [("pick", outlet, "send", 0) for outlet in range(4)]
    return {
        "fileversion": 1,
        "appversion": {"major": 9, "minor": 0, "revision": 0, "architecture": "x64", "modernui": 1},
        "classnamespace": "box",
        "rect": [100.0, 100.0, VIEW_WIDTH + 40.0, 400.0],
        "openinpresentation": 1,
        "devicewidth": float(VIEW_WIDTH),
        "description": f"{piece}, offline",
        "boxes": boxes,
        "lines": [{"patchline": {"source": [a, i], "destination": [b, j]}} for a, i, b, j in lines],
    }


def _new(name: str, text: str, top: float, outlets: int = 0) -> dict[str, Any]:
    return _box(name, "newobj", [10.0, top, 180.0, 22.0], inlets=2, outlets=outlets, text=text)


def _box(name: str, kind: str, rect: list[float], inlets: int, outlets: int, **fields: Any) -> dict[str, Any]:
    counts = {"numinlets": inlets, "numoutlets": outlets, "outlettype": [""] * outlets}
    return {"box": {"id": name, "maxclass": kind, "patching_rect": rect, **counts, **fields}}
