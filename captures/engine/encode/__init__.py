"""From frames to a file, while the frames still come."""

from __future__ import annotations

from pathlib import Path

from captures.engine.encode.base import Encoder, Frame
from captures.engine.encode.ffmpeg import Mp4Encoder
from captures.engine.encode.gif import GifEncoder
from captures.engine.encode.several import SeveralEncoder
from captures.engine.encode.still import encode_one_frame, encode_poster, encode_still
from captures.engine.encode.webp import WebpEncoder
from captures.engine.spec import CaptureSpec, Format

__all__ = ["Encoder", "Frame", "SeveralEncoder", "encode_one_frame", "encode_poster", "encode_still", "encoder_for"]


def encoder_for(spec: CaptureSpec, path: Path) -> Encoder | None:
    """The encoder of an animation; None for stills, whose one frame needs none."""
    if spec.sink is not None:
        encoder: Encoder = spec.sink(spec, path)
        return encoder
    if spec.outputs:
        return SeveralEncoder(spec, path)
    if spec.format is Format.WEBP:
        return WebpEncoder(spec, path)
    if spec.format is Format.MP4:
        return Mp4Encoder(spec, path)
    if spec.format is Format.GIF:
        return GifEncoder(spec, path)
    return None
