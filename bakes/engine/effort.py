"""How the H.264 encoder is set, so that its memory stays within bounds whatever the size of a picture.

x264 holds dozens of pictures at once: those it looks ahead at, those a B-frame waits for, one or two for each thread.
With the preset alone that is about 110 bytes for each pixel of the video: a gigabyte at 3072x3072.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from bakes.engine.spec import BakeSpec

MOST_THREADS = 6  # each holds pictures of its own


@dataclass(frozen=True, slots=True)
class Effort:
    """`slices`: threads share one picture, instead of each having its own."""

    threads: int
    slices: bool = False
    options: dict[str, str] = field(default_factory=dict)


def effort(pixels: int, spec: BakeSpec) -> Effort:
    """Settings for pictures of so many pixels."""
    threads = spec.threads or min(MOST_THREADS, -(-3 * len(os.sched_getaffinity(0)) // 2))
    options = {"preset": spec.preset, "crf": str(spec.crf)}
    if pixels <= 1_100_000:  # a square of 1024: at most 160 MB
        return Effort(threads, False, options)
    if pixels <= 2_200_000:  # 1920x1080: 190 MB
        thrift = {"rc-lookahead": "3", "bf": "1", "x264-params": "sync-lookahead=0"}
        return Effort(threads, False, options | thrift)
    return Effort(threads, True, options | {"rc-lookahead": "0", "bf": "0"})  # 1920x1920: 170 MB, 35 bytes a pixel
