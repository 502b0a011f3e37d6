"""What may be missing from a capture, or wrong in it, as sentences."""

from __future__ import annotations

from captures.engine.look import Look
from captures.engine.network import SCRIPTED, Request
from captures.engine.spec import CaptureWarning, WarningCode
from captures.engine.tab import Tab

MOST = 20  # of one capture; the rest are counted


def warnings_of(tab: Tab, look: Look) -> list[CaptureWarning]:
    """Return the warnings of a capture that has its frames."""
    evidence = tab.evidence
    found = [CaptureWarning(WarningCode.NOT_LOADED, _not_loaded(request, tab)) for request in tab.network.given_up]
    found += [_failed(text) for text in evidence.failed_requests]
    if tab.passage is not None:
        refused = [f"A request was refused: {text}." for text in tab.passage.refused]
        found += [CaptureWarning(WarningCode.REQUEST_BLOCKED, text) for text in refused]
    if evidence.errors and (look.flat or look.maybe_undrawn):
        text = f"The page shows one colour, and had errors: {evidence.errors[0]}"
        found.append(CaptureWarning(WarningCode.PAGE_ERROR, text))
    if len(found) > MOST:
        more = CaptureWarning(found[MOST].code, f"{len(found) - MOST} more warnings are in the evidence.")
        found[MOST:] = [more]
    return found


def _failed(text: str) -> CaptureWarning:
    if "ERR_BLOCKED_BY_" in text:
        return CaptureWarning(WarningCode.REQUEST_BLOCKED, f"A request was blocked: {text}.")
    return CaptureWarning(WarningCode.REQUEST_FAILED, f"A request failed: {text}.")


def _not_loaded(request: Request, tab: Tab) -> str:
    limit_s = tab.spec.fetch_wait_s if request.kind in SCRIPTED else tab.spec.network_wait_s
    return f"{request.url} did not load within {limit_s:g} s; the picture was made without it."
