"""The object store: it errs, is slow, or denies everything."""

from __future__ import annotations

import time

from chaos.bucket import Mood
from chaos.faults.base import Ground


def errors(ground: Ground, seconds: float) -> None:
    _in_mood(ground, Mood.ERRORS, seconds)


def slow(ground: Ground, seconds: float) -> None:
    _in_mood(ground, Mood.SLOW, seconds)


def denied(ground: Ground, seconds: float) -> None:
    _in_mood(ground, Mood.DENIED, seconds)


def _in_mood(ground: Ground, mood: Mood, seconds: float) -> None:
    ground.bucket.mood = mood
    ground.notes[f"{mood} s"] += round(seconds)
    try:
        time.sleep(seconds)
    finally:
        ground.bucket.mood = Mood.WELL
