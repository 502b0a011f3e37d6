"""The first grab, as a newcomer makes it."""

from __future__ import annotations

import io

from PIL import Image

from tests.e2e.stack import Stack
from tests.piece_server import PieceServer


def test_a_grab_is_made_once_and_then_redirected_to(oven: Stack, site: PieceServer) -> None:
    path = "/grab/webp/256/256/anim?duration=2000&fps=15"
    loaded = "/anim?density=1&tv=true&nolabel=true&nogap=true&spoofaudio=true"
    before = site.count(loaded)
    first = oven.get(path)
    assert first.status_code == 200, first.text
    assert first.headers["content-type"] == "image/webp"
    assert first.headers["x-cache"] == "MISS"
    picture = Image.open(io.BytesIO(first.content))
    assert (picture.size, picture.n_frames) == ((256, 256), 30)  # type: ignore[attr-defined]

    again = oven.get(path)
    assert again.status_code == 302
    assert again.headers["x-cache"] == "HIT"
    assert again.headers["x-grab-id"] == first.headers["x-grab-id"]
    assert oven.get(again.headers["location"]).content == first.content
    assert site.count(loaded) == before + 1
