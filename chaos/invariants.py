"""What must hold after every round, however it was broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Count, ForeignKey

from chaos.bucket import Bucket
from chaos.instance import Instance, until
from chaos.load import Promise
from chaos.monitor import Vigil
from chaos.site import Site
from oven.jobs import registry, scratch
from oven.jobs.registry import JobKind
from oven.jobs.states import ENDED, State
from oven.ops.retention import orphans
from oven.storage import stores
from oven.storage.models import Artifact

STUCK_S = 30.0
TIDY_S = 20.0
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Breach:
    """An invariant that does not hold, how often, and examples."""

    name: str
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}: {self.count} ({', '.join(self.examples)})"


def breach(name: str, found: Iterable[object]) -> list[Breach]:
    texts = [str(entry) for entry in found]
    return [Breach(name, len(texts), tuple(texts[:SHOWN]))] if texts else []


class Invariants:
    """`cleared`: files that the last sweep found without an owner, and deleted."""

    def __init__(self, instance: Instance, vigil: Vigil, site: Site, bucket: Bucket) -> None:
        self.instance, self.vigil, self.site, self.bucket = instance, vigil, site, bucket
        self.cleared = 0
        self._seen: set[int] = set()  # artifacts whose bytes were looked at

    def check(self, promises: list[Promise], *, every_byte: bool = False) -> list[Breach]:
        """To be called when nothing is under way."""
        found = breach("running without a live worker for over 30 s", self._stuck())
        found += breach("neither ended nor waiting", self._unended())
        found += breach("accepted, but without a row", lost(promises))
        found += breach("several results of one request", self._doubles())
        found += breach("complete without its result", self._empty())
        found += breach("artifacts of a job beside its own", self._beside())
        found += breach("told under several names", self._told_twice())
        self._sweep()
        found += breach("artifact without its bytes", self._without_bytes(every_byte))
        found += breach("bytes without an artifact", self._without_row())
        found += breach("scratch", self._scratch())
        return found + breach("processes", self._processes())

    def _stuck(self) -> list[str]:
        return [f"{self.vigil.longest_s:.0f} s"] if self.vigil.longest_s > STUCK_S else []

    def _unended(self) -> Iterator[str]:
        """The rounds are long enough for everything that waits to come to its end, too."""
        for kind in registry.kinds():
            for job in kind.model._default_manager.exclude(state__in=ENDED):
                yield f"{kind.name} {job} {job.state} #{job.attempt} due {job.due_at}"

    def _doubles(self) -> Iterator[str]:
        for kind in _kinds_with("capture_key"):
            rows = kind.model._default_manager.filter(state=State.COMPLETE).values("capture_key").order_by()
            for row in rows.annotate(count=Count("pk")).filter(count__gt=1):
                yield f"{row['count']} of {row['capture_key']}"

    def _empty(self) -> Iterator[str]:
        """`thumbnail` and `poster` may be missing."""
        for kind in registry.kinds():
            for name in [name for name in artifact_fields(kind) if name != "thumbnail"]:
                rows = kind.model._default_manager.filter(**{"state": State.COMPLETE, f"{name}__isnull": True})
                yield from (f"{kind.name} {job}" for job in rows)

    def _beside(self) -> Iterator[str]:
        """Artifacts that nobody names although the job that made them is complete."""
        complete = {
            public_id
            for kind in registry.kinds()
            for public_id in kind.model._default_manager.filter(state=State.COMPLETE).values_list(
                "public_id", flat=True
            )
        }
        for artifact in orphans.unpublished(timedelta(0)):
            stem = Path(artifact.key).stem
            if stem in complete or stem.rpartition("-")[0] in complete:
                yield artifact.key

    def _told_twice(self) -> Iterator[str]:
        """The site knows a message by its id: every try of it, and every worker that tries, must name the same."""
        told: Counter[Any] = Counter()
        for kind in _kinds_with("message_id"):
            told.update(kind.model._default_manager.values_list("bake_id", flat=True))
        yield from (f"bake {bake}: {count} messages" for bake, count in told.items() if count > 1)
        known = {
            name
            for kind in _kinds_with("message_id")
            for name in kind.model._default_manager.values_list("message_id", flat=True)
        }
        for code, heard in list(self.site.heard.items()):
            yield from (f"{code}: {name} is unknown" for name in heard if name not in known)

    def _sweep(self) -> None:
        self.cleared = scratch.sweep() + sum(orphans.sweep(store, timedelta(0)) for store in orphans.STORES)

    def _without_bytes(self, every_byte: bool) -> Iterator[str]:
        for artifact in Artifact.objects.order_by("pk"):
            if artifact.pk in self._seen and not every_byte:
                continue
            self._seen.add(artifact.pk)
            size = stores.size_of(artifact.key, artifact.store)
            if size != artifact.bytes:
                yield f"{artifact.store}/{artifact.key}: {size} of {artifact.bytes}"
            elif every_byte and _digest(artifact) != artifact.sha256:
                yield f"{artifact.store}/{artifact.key}: other bytes"

    def _without_row(self) -> Iterator[str]:
        for store in orphans.STORES:
            yield from (f"{store}/{file.key}" for file in orphans.find(store, older=timedelta(0)))
        named = set(Artifact.objects.filter(store="blobs").values_list("key", flat=True))
        yield from (f"blobs/{key}" for key in sorted(set(self.bucket.objects) - named))

    def _scratch(self) -> list[str]:
        return [path.name for path in (Path(settings.OVEN_DATA) / "scratch").glob("*")]

    def _processes(self) -> list[str]:
        """One browser for each capture worker, and nobody left who works on what has ended."""
        until(lambda: not self._surplus(), TIDY_S, every_s=0.5)
        return self._surplus()

    def _surplus(self) -> list[str]:
        most = {"browser": self.instance.workers, "bake": 0, "ffmpeg": 0, "minifier": 1}
        found = self.instance.roles()
        counts = {role: len(found.get(role, [])) for role in most}
        return [f"{count} × {role}" for role, count in counts.items() if count > most[role]]


def lost(promises: list[Promise]) -> Iterator[str]:
    """A promise names a row, or its wish's mark is in one."""
    known: set[str] = set()
    marks: set[str] = set()
    for kind in registry.kinds():
        for public_id, spec in kind.model._default_manager.values_list("public_id", "spec"):
            known.add(public_id)
            marks.add(spec.get("source_hash", ""))
    for promise in promises:
        if promise.public_id and promise.public_id not in known:
            yield f"{promise.wish.kind} {promise.public_id}"
        if not promise.public_id and promise.wish.mark and promise.wish.mark not in marks:
            yield f"{promise.wish.kind} {promise.wish.mark}"


def _kinds_with(field: str) -> list[JobKind]:
    return [kind for kind in registry.kinds() if any(own.name == field for own in kind.model._meta.fields)]


def artifact_fields(kind: JobKind) -> list[str]:
    fields = kind.model._meta.fields
    return [field.name for field in fields if isinstance(field, ForeignKey) and field.related_model is Artifact]


def _digest(artifact: Artifact) -> str:
    place = Path(settings.OVEN_DATA) / "looked-at"
    try:
        stores.copy_out(artifact, place)
        return stores.digest(place)
    finally:
        place.unlink(missing_ok=True)
