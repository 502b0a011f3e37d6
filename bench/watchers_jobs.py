"""Jobs that go through every state with progress and previews, but without a browser: what watchers see, and no more.

python -m bench.watchers_jobs COUNT   with an Oven's OVEN_DATA and REDIS_URL; runs until its standard input ends
"""

from __future__ import annotations

import io
import os
import random
import sys
import threading
import time
from functools import partial
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oven_site.settings")

import django

django.setup()

from PIL import Image  # noqa: E402

from captures.requests import parse  # noqa: E402
from captures.services import ask  # noqa: E402
from oven.events import progress, stream  # noqa: E402
from oven.jobs import lifecycle  # noqa: E402

STEP_S = 0.2  # as often as a worker tells
STEPS = 20  # a job takes four seconds
PREVIEW_SIDE = 160


def publish_with_time(publish: Any, type_: Any, job: Any, **extra: Any) -> None:
    """Events of this process say when they were told of, which is right after the commit."""
    publish(type_, job, committed=time.time() * 1000, **extra)


def preview() -> bytes:
    """About as large as those of real grabs."""
    out = io.BytesIO()
    noise = Image.effect_noise((PREVIEW_SIDE, PREVIEW_SIDE), 40).convert("RGB")
    noise.save(out, "JPEG", quality=50)
    return out.getvalue()


def one_job(number: int, over: threading.Event, picture: bytes) -> None:
    serial = random.randrange(10**9)
    wish = parse({"piece": f"watched~{number}-{serial}", "width": 64, "height": 64})
    asked = ask(wish, source="bench", skip_cache=True)
    job = lifecycle.claim("grab", asked.grab.pk, f"bench:{number}:1")
    if job is None:
        return
    stream.log("capture", f"{wish.piece} started")
    for step in range(STEPS):
        progress.send(job, "capturing", 5 * step, f"Frame {step} of {STEPS}", frames=(step, STEPS), preview=picture)
        if over.wait(STEP_S * random.uniform(0.8, 1.2)):
            break
    lifecycle.finish(job, {"capture": 4000})


def for_ever(number: int, over: threading.Event, picture: bytes) -> None:
    while not over.is_set():
        try:
            over.wait(random.uniform(0, 1))
            one_job(number, over, picture)
        except Exception as error:  # the queue may be away: the next one
            print(f"a job failed: {error}", file=sys.stderr)
            over.wait(0.2)


def main() -> None:
    stream.publish_job = partial(publish_with_time, stream.publish_job)
    over, picture = threading.Event(), preview()
    threads = [threading.Thread(target=for_ever, args=(number, over, picture)) for number in range(int(sys.argv[1]))]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
