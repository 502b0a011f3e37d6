"""What staff should know of runtimes."""

from __future__ import annotations

from bundles.models import CoreBuild
from oven.jobs.states import ACTIVE, State
from oven.ops.health.alerts import Alert


def runtime() -> list[Alert]:
    """No runtime is in service, or the newest could not take its place. One that is being built is awaited."""
    last = CoreBuild.objects.exclude(state=State.CANCELLED).order_by("-id").first()
    if last is None or last.state in ACTIVE or last.state == State.COMPLETE:
        return [] if last else [_alert("bad", "No runtime has been packed: nothing can be bundled.")]
    if CoreBuild.objects.in_service():
        return [_alert("warn", f"The runtime {last.version} could not be packed; an older one serves.")]
    return [_alert("bad", f"The runtime {last.version} could not be packed: nothing can be bundled.")]


def _alert(level: str, text: str) -> Alert:
    return {"code": "core", "level": "bad" if level == "bad" else "warn", "text": text}
