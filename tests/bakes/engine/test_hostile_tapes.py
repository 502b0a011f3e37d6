"""Every hostile tape ends with its own code, says why, soon, in little memory, and leaves nothing behind."""

from __future__ import annotations

import collections
import random
import shutil
import time
from pathlib import Path

import pytest

from bakes.engine.bake import bake
from bakes.engine.errors import BakeError, ErrorCode
from bakes.engine.spec import BakeSpec
from tests.bakes.engine.corpus import HOSTILE
from tests.bakes.engine.lying_zip import text_bomb
from tests.bakes.engine.tapes import encoded, in_child, listed, picture, png, tape, wav
from tests.harness.covered import note

MOST_MEMORY_MB = 64
MOST_SECONDS = 5.0


def refused(path: Path, scratch: Path) -> BakeError:
    began = time.monotonic()
    with pytest.raises(BakeError) as caught:
        bake(BakeSpec(path), scratch)
    assert time.monotonic() - began < MOST_SECONDS
    return caught.value


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_tape_is_refused_with_its_code_and_a_sentence(name: str, tmp_path: Path) -> None:
    hostile = HOSTILE[name]
    note("error code", str(hostile.code))  # the error is made in a fork
    path, scratch = tmp_path / "tape.zip", tmp_path / "scratch"
    scratch.mkdir()
    hostile.build(path)

    def work() -> tuple[ErrorCode, str]:
        error = refused(path, scratch)
        return error.code, error.message

    (code, message), grown_mb = in_child(work)

    assert code is hostile.code, message
    assert hostile.names in message
    assert message.endswith(".") and message.isprintable() and len(message) < 300
    assert list(scratch.iterdir()) == []
    assert grown_mb < MOST_MEMORY_MB


def test_a_tape_with_bytes_overwritten_is_baked_or_refused_and_nothing_else(tmp_path: Path) -> None:
    frames = [png(0), png(9), encoded(picture(20), "webp"), png(30)]
    whole = tape(tmp_path / "tape.zip", frames, listed([16] * 4), wav(tmp_path / "a.wav", 0.064)).read_bytes()
    scratch, dice, ends = tmp_path / "scratch", random.Random(3), collections.Counter[str]()
    scratch.mkdir()
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(dice.choice([1, 2, 8])):
            data[dice.randrange(len(data))] = dice.randrange(256)
        (tmp_path / "tape.zip").write_bytes(data)
        try:
            ends["baked" if bake(BakeSpec(tmp_path / "tape.zip"), scratch).frames else ""] += 1
            shutil.rmtree(scratch)
            scratch.mkdir()
        except BakeError as error:
            ends[error.code] += 1
            assert list(scratch.iterdir()) == []

    assert ends["baked"] and len(ends) > 4 and not ends[ErrorCode.ENCODE]


def test_there_are_enough_hostile_tapes_and_every_code_of_a_tape_has_one() -> None:
    assert len(HOSTILE) >= 25
    assert {hostile.code for hostile in HOSTILE.values()} == set(ErrorCode) - {ErrorCode.ENCODE}


def test_only_our_own_failure_is_worth_a_retry() -> None:
    assert [code for code in ErrorCode if code.retry] == [ErrorCode.ENCODE]
    assert all(len(code) <= 24 for code in ErrorCode)


def test_a_picture_with_a_bomb_of_text_is_baked_without_unpacking_it(tmp_path: Path) -> None:
    path = tape(tmp_path / "tape.zip", [png(), text_bomb(), png(2)])

    frames, grown_mb = in_child(lambda: bake(BakeSpec(path), tmp_path).frames)

    assert frames == 3
    assert grown_mb < MOST_MEMORY_MB
