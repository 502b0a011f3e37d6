"""What the files of captures are called in the store."""

from __future__ import annotations

from django.conf import settings

from captures.engine.spec import File
from captures.models import Grab
from captures.purpose import Purpose
from captures.requests import GrabRequest, slug
from oven.jobs import lifecycle


def file_key(grab: Grab, wish: GrabRequest, file: File, attempt: int = 0) -> str:
    """Never used twice: caches may keep what they have got under it. `attempt`: another one than the present."""
    own = _own(grab, attempt)
    if wish.purpose is Purpose.GRAB:
        size = "" if (file.width, file.height) == wish.pixel_size else f"-{file.width}x{file.height}"
        return f"{wish.purpose.folder}/{own}{size if wish.formats else ''}.{file.format}"
    parts = [slug(wish.piece), f"{file.width}x{file.height}", *_motion(wish), settings.OVEN_RENDER_VERSION]
    tail = own.removeprefix(f"{slug(wish.piece)}-")
    return f"{wish.purpose.folder}/{'-'.join([*parts, tail])}.{file.format}"


def poster_key(grab: Grab, attempt: int = 0) -> str:
    return f"oven/posters/{_own(grab, attempt)}.webp"


def _own(grab: Grab, attempt: int) -> str:
    """A later attempt has a name of its own: whatever a dying one still writes, it cannot touch the good file."""
    return lifecycle.attempt_name(grab, attempt or grab.attempt)


def _motion(wish: GrabRequest) -> list[str]:
    if not wish.animated:
        return []
    return [f"f{wish.to_spec().frame_count}", f"fps{wish.fps:g}"]
