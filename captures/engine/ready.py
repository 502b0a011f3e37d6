"""When a page may be captured: its own signal, else (for pages that send none) network idle, else the limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from captures.engine.pace.base import Pacer
from captures.engine.spec import Ready

STEP_MS = 50.0
SETTLE_STEP_MS = 100.0
IDLE_MS = 500.0

OnStep = Callable[[float], Awaitable[None]]


async def wait_ready(pacer: Pacer, on_step: OnStep) -> tuple[Ready, int]:
    """Lets the page live until it is ready. Returns which rung served and the page's age in ms.

    `on_step` hears the age after every step.
    """
    spec, tab = pacer.spec, pacer.tab
    signal = f"(() => {{ try {{ return Boolean({spec.ready_expression}) }} catch {{ return false }} }})()"
    question = f"[{signal}, document.readyState === 'complete']"
    idle_since: float | None = None
    while True:
        age, answer = await pacer.live_and_ask(STEP_MS, question)
        answer = answer or [False, False]
        if answer[0]:
            return Ready.SIGNAL, round(age)
        if spec.wait_for_idle:
            quiet = answer[1] and tab.evidence.inflight == 0
            idle_since = (age if idle_since is None else idle_since) if quiet else None
            if idle_since is not None and age - idle_since >= IDLE_MS:
                return Ready.IDLE, round(age)
        if age >= spec.ready_limit_ms:
            return Ready.LIMIT, round(age)
        await on_step(age)


async def settle(pacer: Pacer, age_ms: float) -> None:
    """`age_ms`: the page's, when it was seen to be ready."""
    left = float(pacer.spec.settle_wait_ms)
    if pacer.spec.align_ms:
        left += -round(age_ms) % pacer.spec.align_ms
    while left > 0:
        await pacer.live(min(SETTLE_STEP_MS, left))
        left -= SETTLE_STEP_MS
