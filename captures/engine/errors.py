"""What can go wrong in a capture: a code to filter by, a sentence to read, and whether a retry can help."""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """Every way a capture fails. `retry` says whether the same work may succeed later."""

    BAD_SPEC = "bad_spec"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    HTTP_STATUS = "http_status"
    REDIRECTS = "redirects"
    BLANK = "blank"
    NO_ELEMENT = "no_element"  # nothing on the page matches what a selector or a condition names
    HUNG = "hung"
    CRASHED = "crashed"
    MEMORY = "memory"
    PROCESSES = "processes"
    REQUESTS = "requests"
    TIMEOUT = "timeout"
    BROWSER_LOST = "browser_lost"
    NO_BROWSER = "no_browser"
    ENCODE = "encode"
    INTERNAL = "internal"  # a fault of the engine, as a clock that disagrees with its plan

    @property
    def retry(self) -> bool:
        return self in _WORTH_RETRYING


_WORTH_RETRYING = {
    ErrorCode.UNREACHABLE,
    ErrorCode.CRASHED,
    ErrorCode.BROWSER_LOST,
    ErrorCode.TIMEOUT,
    ErrorCode.ENCODE,
}


class CaptureError(Exception):
    """A capture that ended without a picture.

    `evidence`, `spans` (ms) and `last_frame` (JPEG or PNG bytes) are filled in by the engine on the way out.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.last_frame: bytes | None = None
        self.evidence: dict[str, object] = {}
        self.spans: dict[str, int] = {}


class StepTimeout(CaptureError):
    """One step of driving the page took too long: a slower mode may still manage."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.HUNG, message)
