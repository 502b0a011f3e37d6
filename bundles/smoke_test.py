"""Whether a packed runtime really runs offline: a piece is opened from a file, in a browser that reaches nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from captures.engine.chromium import BrowserOptions
from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.host import EngineHost
from captures.engine.spec import CaptureResult, CaptureSpec, Format

NOWHERE = "http://127.0.0.1:9"  # the discard port: every request fails at once
SIDE = 256
SHOWN = 5
DEADLINE_S = 30.0
NO_VERDICT = {ErrorCode.BROWSER_LOST, ErrorCode.CRASHED, ErrorCode.NO_BROWSER}  # of the browser, not of the page


@dataclass(frozen=True, slots=True)
class Checked:
    """`problems` are sentences; none means that the page is good. `still` is a small WebP, if it drew anything."""

    problems: tuple[str, ...]
    still: bytes = b""


Wait = Callable[[Future[CaptureResult]], CaptureResult]


def check_page(
    page: Path, options: BrowserOptions, ready_expression: str, wait: Wait = lambda future: future.result()
) -> Checked:
    """Opens a bundle with the network off, until it is ready, and judges it. `wait` may raise to end it.

    Raises CaptureError when the browser went away: then nothing can be said of the page.
    """
    spec = CaptureSpec(
        url=page.resolve().as_uri(),
        format=Format.PNG,
        width=SIDE,
        height=SIDE,
        ready_expression=ready_expression,
        deadline_s=DEADLINE_S,
    )
    with EngineHost(options) as host:
        try:
            result = wait(host.capture(spec, page.parent))
        except CaptureError as error:
            if error.code in NO_VERDICT:
                raise
            return Checked((f"It shows nothing: {error.message}", *_found(error.evidence)))
    return Checked(_judge(result), result.poster)


def offline(options: BrowserOptions) -> BrowserOptions:
    """The same browser without a network."""
    return replace(
        options, gate=None, proxy=NOWHERE, extra_flags=(*options.extra_flags, "--host-resolver-rules=MAP * ~NOTFOUND")
    )


def _judge(result: CaptureResult) -> tuple[str, ...]:
    problems = list(_found(result.evidence))
    if result.flat_color:
        problems.append(f"It draws nothing but one colour, {result.flat_color}.")
    if result.ready != "signal":
        problems.append("It never said that it was ready.")
    return tuple(problems)


def _found(evidence: dict[str, object]) -> tuple[str, ...]:
    kinds = {"remote": "It asks the network for", "page_errors": "An error in the page:"}
    return tuple(f"{says} {entry}" for key, says in kinds.items() for entry in _entries(evidence, key))


def _entries(evidence: dict[str, object], key: str) -> list[str]:
    found = evidence.get(key)
    return [str(entry) for entry in found][:SHOWN] if isinstance(found, list) else []
