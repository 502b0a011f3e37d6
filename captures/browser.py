"""This process's capture engine, and the options that every browser of this installation has."""

from __future__ import annotations

import logging
from pathlib import Path

from django.conf import settings

from captures.engine.box import Bounds
from captures.engine.chromium import BrowserOptions
from captures.engine.errors import CaptureError
from captures.engine.host import BrowserFacts, EngineHost
from oven.egress.proxy import Limits, Proxy
from oven.storage import urls

log = logging.getLogger(__name__)
SANDBOX = {"auto": None, "on": True, "off": False}
WHY_OFF = {"auto": "this worker runs as root", "off": "OVEN_CHROMIUM_SANDBOX says so"}
_host: EngineHost | None = None


def engine() -> EngineHost:
    """Return this process's engine; it is started at first use."""
    global _host
    if _host is None:
        _host = EngineHost(browser_options())
    return _host


def browser_options(*named: str) -> BrowserOptions:
    """Return the options of a browser. Pages may also reach the origins `named`, on this machine too."""
    return BrowserOptions(
        gate=Proxy((*trusted_origins(), *named), limits()),
        executable=settings.OVEN_CHROMIUM,
        recycle_grabs=settings.OVEN_RECYCLE_GRABS,
        recycle_age_s=settings.OVEN_RECYCLE_AGE_S,
        recycle_memory_mb=settings.OVEN_RECYCLE_MEMORY_MB,
        profiles=str(Path(settings.OVEN_DATA) / "browsers"),
        sandbox=SANDBOX[settings.OVEN_CHROMIUM_SANDBOX],
        page_processes=settings.OVEN_PAGE_MAX_PROCESSES,
        bounds=Bounds(data_mb=2048 + 2 * settings.OVEN_PAGE_MEMORY_MB),
    )


def trusted_origins() -> list[str]:
    """Return what pages may reach by name, wherever it is: the piece site, and stores with an origin of their own."""
    stored = [urls.public_origin(name) for name in ("art", "blobs")]
    own = settings.OVEN_PUBLIC_URL.rstrip("/")  # pages do not need this service itself
    return [settings.OVEN_PIECE_ORIGIN, *(origin for origin in stored if origin and origin != own)]


def limits() -> Limits:
    """Return the network limits of one page."""
    return Limits(requests=settings.OVEN_PAGE_MAX_REQUESTS, bytes=settings.OVEN_PAGE_MAX_MB << 20)


def warm_up() -> None:
    """Start the browser before the first job. A failure is left to the first job to report."""
    if not engine().engine.options.sandboxed:
        log.warning("Chromium's sandbox is off: %s", WHY_OFF[settings.OVEN_CHROMIUM_SANDBOX])
    try:
        engine().warm_up()
    except CaptureError as error:
        log.warning("the browser did not start: %s", error.message)


def browser_facts() -> BrowserFacts | None:
    """Return the facts of this process's browser, if its engine has been started."""
    host = _host
    return host.facts() if host is not None else None


def close_engine() -> None:
    global _host
    host, _host = _host, None
    if host is not None:
        host.close()
