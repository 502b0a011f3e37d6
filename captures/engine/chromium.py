"""Where Chromium is, and how it is started."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from captures.engine import gate
from captures.engine.box import Bounds
from captures.engine.errors import CaptureError, ErrorCode

# The package's wrapper script does not exec: killing it would leave the browser running, so call the binary.
HEADLESS_SHELLS = ("/usr/lib/chromium/chromium-headless-shell", "/usr/lib/chromium/headless_shell")
FULL_BROWSERS = (
    "/usr/lib/chromium/chromium",
    "/usr/lib/chromium-browser/chromium-browser",
    "/opt/google/chrome/chrome",
)

COMMON_FLAGS = (
    "--headless",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-service-autorun",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-breakpad",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--disable-hang-monitor",
    "--disable-ipc-flooding-protection",
    "--disable-prompt-on-repost",
    "--disable-search-engine-choice-screen",
    "--metrics-recording-only",
    "--password-store=basic",
    "--use-mock-keychain",
    "--force-color-profile=srgb",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--mute-audio",
    "--hide-scrollbars",
    "--block-new-web-contents",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider",
)
# The first two are required for BeginFrame; the rest keep work on the frame it belongs to.
BEGIN_FRAME_FLAGS = (
    "--enable-begin-frame-control",
    "--run-all-compositor-stages-before-draw",
    "--disable-new-content-rendering-timeout",
    "--disable-threaded-animation",
    "--disable-threaded-scrolling",
    "--disable-checker-imaging",
    "--disable-image-animation-resync",
    "--enable-surface-synchronization",
)


@dataclass(frozen=True, slots=True)
class BrowserOptions:
    """How browsers of one engine are started and when they are replaced."""

    executable: str = ""  # empty: search
    sandbox: bool | None = None  # None: on unless root
    recycle_grabs: int = 200
    recycle_age_s: float = 3600.0
    recycle_memory_mb: int = 700
    page_processes: int = 24  # of one page: frames of other sites have their own
    bounds: Bounds = field(default_factory=Bounds)
    proxy: str = ""  # every request goes through it when set
    gate: gate.Gate | None = None  # instead: each page gets a proxy of its own, and the browser itself none
    profiles: str = ""  # directory for profiles; empty: the temporary directory
    extra_flags: tuple[str, ...] = ()

    @property
    def sandboxed(self) -> bool:
        return os.geteuid() != 0 if self.sandbox is None else self.sandbox

    def flags(self, begin_frame: bool) -> list[str]:
        flags = [*COMMON_FLAGS, *(BEGIN_FRAME_FLAGS if begin_frame else ()), *self.extra_flags]
        if not self.sandboxed:
            flags.append("--no-sandbox")
        if self.proxy:
            flags.append(f"--proxy-server={self.proxy}")
        elif self.gate:
            flags += gate.FLAGS
        return flags


def find_headless_shell(setting: str = "") -> str:
    """Path of a headless shell: the setting, Debian's package, Playwright's own; empty when there is none."""
    if setting:
        return setting if Path(setting).exists() else ""
    return _first_existing(HEADLESS_SHELLS) or _playwright_shell()


def find_any_browser(setting: str = "") -> str:
    """Path of any Chromium that can be driven.

    Raises CaptureError(NO_BROWSER) when there is none.
    """
    found = find_headless_shell(setting) or _first_existing(FULL_BROWSERS)
    found = found or shutil.which("google-chrome") or shutil.which("chromium") or ""
    if not found:
        raise CaptureError(ErrorCode.NO_BROWSER, "No Chromium found: run bin/oven setup, or set OVEN_CHROMIUM.")
    return found


def is_headless_shell(path: str) -> bool:
    return "headless" in Path(path).name


def _first_existing(paths: tuple[str, ...]) -> str:
    return next((path for path in paths if Path(path).exists()), "")


def _playwright_shell() -> str:
    root = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    if not root.is_dir():
        return ""
    found = sorted(root.glob("chromium_headless_shell-*/*/*headless*shell"))
    return str(found[-1]) if found else ""
