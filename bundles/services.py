"""Submit bundles and cores, watch the source tree, delete expired files. `bundles.runner` runs them."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from bundles import source_tree
from bundles.models import Bundle, CoreBuild
from bundles.requests import BundleRequest
from captures.models import Grab
from oven.accounts import throttles
from oven.jobs import admission, lifecycle
from oven.jobs.models import requeue_source
from oven.jobs.states import Lane, State
from oven.ops.metrics import counters
from oven.storage import stores

log = logging.getLogger(__name__)
POSTERS_AT_ONCE = 20


QueueFull = admission.QueueFull


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a wish: a finished bundle (`cached`), or one that is under way."""

    bundle: Bundle
    cached: bool = False


# --- bundles --------------------------------------------------------------------------------------------------------


def ask(
    wish: BundleRequest,
    *,
    skip_cache: bool = False,
    source: str = "web",
    user: Any = None,
    lane: Lane = Lane.NOW,
    requeued_from: Bundle | None = None,
) -> Asked:
    """A bundle of the wish: the cached one, the one under way, or a new one. Raises NotAdmitted and Throttled."""
    core = CoreBuild.objects.in_service()
    key = wish.capture_key(core.tree if core else "")
    if not skip_cache and (found := Bundle.objects.cached(key)):
        Bundle.objects.filter(pk=found.pk).update(hits=F("hits") + 1)
        counters.count("oven_cache_lookups", "bundle", "hit")
        return Asked(found, cached=True)
    if active := Bundle.objects.active_with(key):
        counters.count("oven_cache_lookups", "bundle", "joined")
        return Asked(lifecycle.join(active, throttles.anonymous_client()))
    counters.count("oven_cache_lookups", "bundle", "miss")
    client = throttles.anonymous_client()
    admission.check_storage(Bundle, client)
    throttles.charge(throttles.Rule.BUNDLES)
    name = wish.name.removeprefix("$").replace("/", "-")
    bundle = Bundle(
        public_id=f"bundle-{name}-{secrets.token_hex(4)}",
        piece=wish.name,
        capture_key=key,
        source=source[:40],
        requested_by=user,
        client=client,
        lane=lane,
        spec=wish.as_json(),
        requeued_from=requeued_from,
    )
    try:
        with transaction.atomic():  # what was under way at the first look, and ended before the second, is seen here
            if not skip_cache and (found := Bundle.objects.cached(key)):
                return Asked(found, cached=True)
            return Asked(lifecycle.submit(bundle, limited=True))
    except IntegrityError:  # somebody asked for the same in this very moment
        active = Bundle.objects.active_with(key) or Bundle.objects.cached(key)
        if active is None:
            raise
        return Asked(active)


def ask_again(bundle: Bundle, *, user: Any = None) -> Asked:
    """The same once more, without the cache."""
    return ask(
        BundleRequest.from_json(bundle.spec),
        skip_cache=True,
        source=requeue_source(bundle.source),
        user=user,
        lane=Lane.BATCH,
        requeued_from=bundle,
    )


# --- cores ----------------------------------------------------------------------------------------------------------


def build_core(*, source: str = "prewarm", user: Any = None, lane: Lane = Lane.NOW) -> CoreBuild:
    """A build of the tree as it is now: the one under way, or a new one."""
    tree = source_tree.fingerprint()
    build = CoreBuild(
        public_id=f"core-{secrets.token_hex(6)}",
        tree=tree,
        version=source_tree.version(),
        source=source[:40],
        requested_by=user,
        lane=lane,
    )
    try:
        return lifecycle.submit(build)
    except IntegrityError:
        active = CoreBuild.objects.active_for(tree)
        if active is None:
            raise
        return active


def fill_posters() -> None:
    """Pictures that were asked for when a piece was bundled, and are there now."""
    for bundle in Bundle.objects.filter(poster="", state=State.COMPLETE).order_by("-id")[:POSTERS_AT_ONCE]:
        grab = (
            Grab.objects.filter(piece=bundle.piece, state=State.COMPLETE).exclude(poster="").order_by("-id").first()
        )
        if grab is not None:
            Bundle.objects.filter(pk=bundle.pk).update(poster=grab.poster)


def watch_tree() -> None:
    """Builds a core when none is in service, or when the tree has changed since the last build of it was tried."""
    tree = source_tree.fingerprint()
    last = CoreBuild.objects.exclude(state=State.CANCELLED).order_by("-id").first()
    if tree and (last is None or last.tree != tree):
        build_core(source="tree", lane=Lane.BATCH)


def delete_expired() -> dict[str, int]:
    """Delete the files of expired bundles that no app protects."""
    dropped = 0
    expired = Bundle.objects.filter(expires_at__lte=timezone.now(), artifact__isnull=False)
    for bundle in expired.exclude(artifact__in=stores.protected()).iterator():
        dropped += _drop_file(bundle)
    return {"bundles": dropped}


def _drop_file(bundle: Bundle) -> int:
    """1 when the file is gone. Bundles of equal content share one: the last to expire takes it along."""
    artifact = bundle.artifact
    assert artifact is not None
    shared = Bundle.objects.filter(artifact=artifact, expires_at__gt=timezone.now()).exists()
    if not shared:
        try:
            stores.drop(artifact)
        except stores.StoreError as error:
            log.warning("expired %s not deleted: %s", artifact, error)
            return 0
    Bundle.objects.filter(pk=bundle.pk).update(artifact=None)
    return int(not shared)
