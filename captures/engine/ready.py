"""When a page may be captured: its own signal, else (for pages that send none) network idle, else the limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from captures.engine.pace.base import Pacer
from captures.engine.spec import Ready, Start

STEP_MS = 50.0
IDLE_MS = 500.0
FONTS_LIMIT_MS = 1000.0  # of the page's time; while a font is on its way, it stands
FONTS = "!document.fonts || document.fonts.status === 'loaded'"

Shot = dict[str, Any] | None
OnStep = Callable[[float, bytes | None], Awaitable[Shot]]


async def wait_ready(pacer: Pacer, on_step: OnStep) -> tuple[Ready, int]:
    """Let the page live until it is ready. Return which rung served and the page's age in ms.

    `on_step` is called with the age after every step, and with a picture if it asked for one: what it returns are the
    parameters of the next step's screenshot.
    """
    spec = pacer.spec
    if spec.start is Start.LOAD:
        return Ready.LOAD, await _first_picture(pacer)
    signal = f"(() => {{ try {{ return Boolean({spec.ready_expression}) }} catch {{ return false }} }})()"
    question = f"[{signal}, document.readyState === 'complete']"
    idle_since: float | None = None
    navigations = 0
    shot: Shot = None
    while True:
        age, picture = await pacer.live(STEP_MS, shot)
        said, complete = await pacer.tab.evaluate(question) or (False, False)
        if said and spec.start is not Start.IDLE:
            return Ready.SIGNAL, round(age)
        if spec.start is Start.IDLE or (spec.wait_for_idle and spec.start is not Start.READY):
            await pacer.settle_network()
            network = pacer.tab.network
            quiet = complete and not network.waited_for() and not network.navigates()
            if network.navigations != navigations:
                navigations, idle_since = network.navigations, None
            idle_since = (age if idle_since is None else idle_since) if quiet else None
            if idle_since is not None and age - idle_since >= IDLE_MS:
                return Ready.IDLE, round(age)
        if age >= spec.ready_limit_ms:
            return Ready.LIMIT, round(age)
        shot = await on_step(age, picture)


async def _first_picture(pacer: Pacer) -> int:
    """Let the page live until it has drawn something; return its age in ms."""
    age, picture = 0.0, None
    while picture is None and age < pacer.spec.ready_limit_ms:
        age, picture = await pacer.live(1000 / pacer.spec.tick_hz, {**pacer.spec.shot})
    return round(age)


async def settle(pacer: Pacer, age_ms: float) -> None:
    """Let the page settle, and its fonts arrive. `age_ms`: the page's, when it was seen to be ready."""
    left = float(pacer.spec.settle_wait_ms)
    if pacer.spec.align_ms:
        left += -round(age_ms) % pacer.spec.align_ms
    if left > 0:
        await pacer.live(left)
    waited = 0.0
    while waited < FONTS_LIMIT_MS and not await pacer.tab.evaluate(FONTS):
        await pacer.settle_network()
        await pacer.live(STEP_MS)
        waited += STEP_MS
