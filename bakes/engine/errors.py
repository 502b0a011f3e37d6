"""What can go wrong with a tape: a code to filter by, a sentence to read, and whether a retry can help."""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """Every way a bake fails. `retry` says whether the same tape may succeed later."""

    # the archive
    NOT_A_ZIP = "not_a_zip"
    ZIP_TOO_LARGE = "zip_too_large"
    TRUNCATED = "zip_truncated"
    DIRECTORY = "zip_directory"  # the list of members is broken, oversized, or says other than the members do
    TOO_MANY_MEMBERS = "too_many_members"
    MEMBER_NAME = "member_name"
    LINK = "member_link"
    DUPLICATE = "member_duplicate"
    OVERLAP = "member_overlap"
    ENCRYPTED = "member_encrypted"
    METHOD = "member_method"  # a compression that tapes do not use
    DAMAGED = "member_damaged"  # checksum or compressed data
    FALSE_SIZE = "member_false_size"
    RATIO = "member_ratio"
    UNPACKED_TOO_LARGE = "unpacked_too_large"
    # the frames
    NO_FRAMES = "no_frames"
    FRAME_TOO_LARGE = "frame_too_large"  # bytes
    FRAME_SIDE = "frame_side"  # pixels
    FRAME_SIZE_CHANGED = "frame_size_changed"
    FRAME_NOT_PICTURE = "frame_not_picture"
    FRAME_BROKEN = "frame_broken"
    # the times
    TIMING_TOO_LARGE = "timing_too_large"
    TIMING_BROKEN = "timing_broken"
    TIMING_MISMATCH = "timing_mismatch"
    VIDEO_TOO_LONG = "video_too_long"
    VIDEO_TOO_LARGE = "video_too_large"  # pixels of all frames together
    # the sound
    SOUND_BROKEN = "sound_broken"
    SOUND_TOO_LONG = "sound_too_long"
    # ours
    ENCODE = "encode"

    @property
    def retry(self) -> bool:
        return self is ErrorCode.ENCODE  # every other cause is in the tape and stays there


class BakeError(Exception):
    """A bake that ended without a video. `spans` (ms) are filled in by the engine on the way out."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.spans: dict[str, int] = {}
