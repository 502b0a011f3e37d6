"""Callers who ask for grabs, bakes and bundles through REST, and remember what they were promised."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from django.conf import settings

from chaos.instance import Instance, until
from chaos.site import SHAPES, Site

KINDS = {"grab": 10, "bake": 5, "bundle": 5, "core": 0.3}  # how often each is asked for, to one another
PIECES = ("orbit", "prism", "tiles", "waves", "still", "worker")
PROGRAMS = ("orbit", "tiles", "waves", "prism")
SIDES = (64, 96, 128)
KEYED = 0.5  # so many of those that can be are sent with a key of their own
AGAIN = 0.2  # so often the same as before, most likely while it is still under way
PATIENCE_S = 12.0
ACTIVE_EACH = 2  # so many jobs for each caller, and all wait until one has ended
PAUSE_S, DOWN_PAUSE_S = 0.1, 0.5
REMEMBERED = 6  # recent wishes that may be asked for again


@dataclass(frozen=True, slots=True)
class Wish:
    """One request. `mark` stands in the row that it becomes, and in no other wish's."""

    kind: str
    mark: str
    method: str
    path: str
    body: dict[str, Any] | None = None
    keyed: bool = False  # sent with its mark as Idempotency-Key


@dataclass(frozen=True, slots=True)
class Promise:
    """A wish that was accepted; `public_id` where the answer named it."""

    wish: Wish
    public_id: str


class Load:
    """`open` it to let callers ask; they wait while more than a few jobs are active (`active` tells)."""

    def __init__(self, instance: Instance, site: Site, rng: random.Random, active: Callable[[], int]) -> None:
        self.instance, self.site, self.active = instance, site, active
        self._most = 0
        self.promises: list[Promise] = []
        self.answers: Counter[str] = Counter()
        self._recent: list[Wish] = []
        self._rng = rng
        self._serial = 0
        self._asking = 0  # callers
        self._lock = threading.Lock()
        self._open, self._over = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, clients: int) -> None:
        self._most = ACTIVE_EACH * clients
        self._threads = [threading.Thread(target=self._ask_for_ever, daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def open(self) -> None:
        self._open.set()

    def shut(self) -> None:
        """Let no caller ask any more; return once each has its answer, or has given up waiting for it."""
        self._open.clear()
        until(lambda: not self._asking, PATIENCE_S + 1)

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE_S + 1)

    # --- one caller ---

    def _ask_for_ever(self) -> None:
        headers = {"Authorization": f"Bearer {self.instance.token}"}
        with httpx.Client(base_url=self.instance.base, timeout=PATIENCE_S, headers=headers) as http:
            while not self._over.is_set():
                if not self._ask_if_open(http):
                    self._over.wait(PAUSE_S)

    def _ask_if_open(self, http: httpx.Client) -> bool:
        """Ask once, unless it is shut or enough is active. It counts as asking from before it looks: see `shut`."""
        with self._lock:
            self._asking += 1
        try:
            if not self._open.is_set() or self.active() >= self._most:
                return False
            self._ask(http, self._next())
            return True
        finally:
            with self._lock:
                self._asking -= 1

    def _ask(self, http: httpx.Client, wish: Wish) -> None:
        try:
            headers = {"Idempotency-Key": f"{wish.kind}-{wish.mark}"} if wish.keyed else {}
            answer = http.request(wish.method, wish.path, json=wish.body, headers=headers)
        except httpx.HTTPError as error:
            with self._lock:
                self.answers["nobody there" if isinstance(error, httpx.ConnectError) else "cut off"] += 1
            self._over.wait(DOWN_PAUSE_S)
            return
        public_id = _public_id(answer)
        with self._lock:
            named = public_id or answer.status_code < 500
            self.answers[str(answer.status_code) if named else f"{answer.status_code} {answer.text[:80]}"] += 1
            if public_id or answer.is_success or answer.is_redirect:
                self.promises.append(Promise(wish, public_id))

    # --- wishes ---

    def _next(self) -> Wish:
        with self._lock:
            if self._recent and self._rng.random() < AGAIN:
                return self._rng.choice(self._recent)
            self._serial += 1
            # One of each kind at first, so that a short run has all of them.
            first = list(KINDS)[:3][self._serial - 1 : self._serial]
            kind = (first or self._rng.choices(list(KINDS), list(KINDS.values())))[0]
            wish: Wish = getattr(self, f"_{kind}")(f"c{self._serial}")
            if kind != "core":
                self._recent = [*self._recent[-REMEMBERED + 1 :], wish]
            return wish

    def _grab(self, mark: str) -> Wish:
        side, piece = self._rng.choice(SIDES), self._rng.choice(PIECES)
        shape: dict[str, Any] = {"piece": piece, "width": side, "height": side, "cacheKey": mark}
        shape |= {"duration": self._rng.choice((300, 600, 1200)), "fps": 10}
        if self._rng.random() < 0.15:
            shape["formats"] = ["png", "webp"]
        else:
            shape["format"] = self._rng.choice(("png", "webp", "mp4"))
        return Wish("grab", mark, "POST", "/grab", shape, self._rng.random() < KEYED)

    def _bake(self, mark: str) -> Wish:
        body = {
            "mongoId": mark,
            "slug": "chaos",
            "code": mark,
            "zipUrl": f"{self.site.origin}/tapes/{self._rng.randrange(len(SHAPES))}.zip",
            "callbackUrl": f"{self.site.origin}/told",
            "callbackSecret": settings.OVEN_CALLBACK_SECRET,
        }
        return Wish("bake", mark, "POST", "/bake", body, self._rng.random() < KEYED)

    def _bundle(self, mark: str) -> Wish:
        piece = self._rng.choice(PROGRAMS)
        return Wish("bundle", mark, "GET", f"/bundle-html?piece={piece}&format=json&sourceHash={mark}")

    def _core(self, mark: str) -> Wish:
        return Wish("core", "", "POST", "/bundle-prewarm", {})


def _public_id(answer: httpx.Response) -> str:
    """Of the job, where the answer names it: in a header, or in JSON."""
    if found := answer.headers.get("x-grab-id", ""):
        return str(found)
    if not answer.headers.get("content-type", "").startswith("application/json"):
        return ""
    try:
        body = answer.json()
    except ValueError:
        return ""
    names = ("grabId", "jobId", "id")
    return next((str(body[name]) for name in names if body.get(name)), "") if isinstance(body, dict) else ""
