"""What the demo asks for, in the order in which it does: all formats, lanes and verbs, and what goes wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from oven.jobs.states import Lane


@dataclass(frozen=True)
class Scene:
    """One job. `about` is for whoever watches the terminal; `cancel` says when somebody changes their mind."""

    kind: Literal["grab", "bake", "bundle"]
    about: str
    fields: dict[str, Any] = field(default_factory=dict)
    lane: Lane = Lane.NOW
    cancel: Literal["", "waiting", "running"] = ""


def grab(about: str, piece: str, format_: str, width: int, height: int, **fields: Any) -> Scene:
    scene = {name: fields.pop(name) for name in ("lane", "cancel") if name in fields}
    shape = {"piece": piece, "format": format_, "width": width, "height": height}
    return Scene("grab", about, {**shape, "duration": 2000, "fps": 10, **fields}, **scene)


def bake(about: str, tape: str, told: str = "taken", **scene: Any) -> Scene:
    """`tape` and `told` as the demo's site knows them."""
    return Scene("bake", about, {"tape": tape, "told": told}, **scene)


def bundle(about: str, lane: Lane = Lane.NOW, **fields: Any) -> Scene:
    return Scene("bundle", about, fields, lane)


CAST = (
    grab("planets, animated", "orbit", "webp", 320, 240),
    grab("a piece that does not move: it is listed as frozen", "still", "webp", 256, 256),
    grab("a piece that is not there: http_status", "nowhere", "png", 256, 256),
    bake("a tape", "orbit"),
    grab("a private address: bad_spec", "https://127.0.0.1/private", "png", 128, 128),
    grab("a piece that hangs for ever", "loop", "png", 256, 256),
    bake("a tape whose server is busy: retried, then failed", "busy"),
    bundle("a piece as one file", piece="orbit"),
    grab("a ring, long", "prism", "mp4", 640, 360, duration=6000, fps=30, cancel="running"),
    grab("a mind that is changed", "waves", "webp", 512, 512, lane=Lane.BATCH, cancel="waiting"),
    grab("one colour: flat, and listed", "solid", "gif", 200, 200),
    bake("not a tape at all: not_a_zip", "broken"),
    grab("an icon, for a mint", "tiles", "png", 128, 128, density=2, lane=Lane.KEEP),
    bundle("a piece that is not there: not_found", piece="nowhere"),
    grab("a GIF", "prism", "gif", 240, 240),
    bake("a tape; the site takes the news at the second try", "prism", "later"),
    grab("a store screenshot", "orbit~3", "png", 960, 540),
    grab("a sunflower grown in a worker", "worker", "webp", 300, 300, lane=Lane.BATCH),
    grab("clear glass, transparent", "glass", "png", 256, 256, transparent=True),
    bundle("a device for Live", piece="waves", format="m4d", lane=Lane.BATCH),
    grab("a sea, as a video", "waves", "mp4", 480, 270, fps=15),
    grab("all black", "black", "png", 160, 160),
    bake("a tape; the site wants no more of it", "prism", "never", lane=Lane.BATCH),
    grab("never says that it is ready", "never", "webp", 200, 200, lane=Lane.HEAVY),
    grab("a title that hums", "prompt", "gif", 256, 144),
    grab("a page that writes itself", "notes", "mp4", 360, 480, duration=4000),
)
SIZES = (1.0, 0.75, 1.25, 0.5, 1.5)


def scenes() -> Iterator[Scene]:
    """Without end. From the second time on in other sizes, so that nothing is the same capture twice."""
    for turn in itertools.count():
        for scene in CAST:
            yield resized(scene, SIZES[turn % len(SIZES)]) if scene.kind == "grab" else scene


def resized(scene: Scene, factor: float) -> Scene:
    sides = {side: max(32, min(1000, round(scene.fields[side] * factor / 2) * 2)) for side in ("width", "height")}
    return Scene(scene.kind, scene.about, {**scene.fields, **sides}, scene.lane, scene.cancel)
