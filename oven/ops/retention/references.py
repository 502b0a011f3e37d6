"""Who refers to a row or a file. Whatever somebody refers to stays.

A row stays while any row of any model refers to it: a foreign key to a kind's model protects, whoever adds it. Only
jobs that are deleted with it (CASCADE: the deliveries of a bake) go along, and while one of them is active it stays.
A file stays while any row that stays names it: by a foreign key to its `Artifact`, or by its key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.models import CASCADE

from oven.jobs.models import Attempt, Job
from oven.jobs.states import ACTIVE
from oven.ops.retention.targets import key_fields
from oven.storage.models import Artifact

Going = dict[Any, set[int]]  # primary keys by model
NOTHING: Going = {}
ART = "art"


@dataclass
class Children:
    """Jobs that go along with others: `of` by model, and the parents that an active one keeps."""

    of: dict[Any, dict[int, int]] = field(default_factory=dict)  # child: parent
    kept: set[int] = field(default_factory=set)


def relations(model: Any) -> list[Any]:
    """Every foreign key to a model, hidden ones and those of many-to-many tables included."""
    return [
        rel
        for rel in model._meta.get_fields(include_hidden=True)
        if rel.auto_created and not rel.concrete and (rel.one_to_many or rel.one_to_one)
    ]


def is_child(rel: Any) -> bool:
    """Rows that go along with their parent: jobs (a bake's deliveries), and what else is a part of it."""
    return rel.on_delete is CASCADE


def referred(model: Any, pks: Collection[int], gone: Going) -> set[int]:
    """Those that a row refers to which does not go along with them."""
    found: set[int] = set()
    for rel in relations(model):
        if not is_child(rel):
            found.update(target for target, pk in _referring(rel, pks) if pk not in gone.get(rel.related_model, ()))
    return found


def children(model: Any, pks: Collection[int], gone: Going) -> Children:
    found = Children()
    for rel in filter(is_child, relations(model)):
        name = rel.field.attname
        fields = ("pk", name, *(["state"] if issubclass(rel.related_model, Job) else []))
        for pk, parent, *state in rel.related_model._base_manager.filter(**{f"{name}__in": pks}).values_list(*fields):
            if state and state[0] in ACTIVE:
                found.kept.add(parent)
            elif pk not in gone.get(rel.related_model, ()):
                found.of.setdefault(rel.related_model, {})[pk] = parent
    return found


def attempts(model: Any, pks: Collection[int], gone: Going) -> set[int]:
    """Of jobs."""
    rows = Attempt.objects.filter(kind=model.kind, job_pk__in=pks).values_list("pk", flat=True)
    return set(rows) - gone.get(Attempt, set())


def unused(going: Going, gone: Going) -> tuple[list[Artifact], list[str]]:
    """Files of rows that go, which nobody else refers to: artifacts, and keys of files without a row of their own."""
    artifacts, keys = _free_artifacts(going, gone), _own_keys(going)
    named = used_keys({*keys, *(row.key for row in artifacts if row.store == ART)}, going, gone)
    free = [row for row in artifacts if row.store != ART or row.key not in named]
    return free, sorted(keys - named - _stored(keys))


def _free_artifacts(going: Going, gone: Going) -> list[Artifact]:
    """No foreign key of a row that stays leads to these."""
    ids = {pk for model, pks in going.items() for pk in _artifacts_of(model, pks)}
    for rel in relations(Artifact) if ids else ():
        ids -= {target for target, pk in _referring(rel, ids) if not _without(rel.related_model, pk, going, gone)}
    return list(Artifact.objects.filter(pk__in=ids)) if ids else []


def _own_keys(going: Going) -> set[str]:
    keys: set[str] = set()
    for model, name in key_fields():
        if pks := going.get(model):
            keys.update(model._base_manager.filter(pk__in=pks).values_list(name, flat=True))
    return keys - {""}


def _stored(keys: Collection[str]) -> set[str]:
    """Those of files that have a row of their own."""
    return set(Artifact.objects.filter(store=ART, key__in=keys).values_list("key", flat=True)) if keys else set()


def used_keys(keys: Collection[str], *without: Going) -> set[str]:
    """Return those of these keys in the art store that some row names, but for the rows of `without`."""
    found: set[str] = set()
    for model, name in key_fields() if keys else ():
        for key, pk in model._base_manager.filter(**{f"{name}__in": keys}).values_list(name, "pk"):
            if not _without(model, pk, *without):
                found.add(key)
    return found


def _without(model: Any, pk: int, *without: Going) -> bool:
    return any(pk in rows.get(model, ()) for rows in without)


def _artifacts_of(model: Any, pks: Collection[int]) -> Iterator[int]:
    fields = [f.attname for f in model._meta.concrete_fields if f.is_relation and f.related_model is Artifact]
    if fields:
        for values in model._base_manager.filter(pk__in=pks).values_list(*fields):
            yield from (value for value in values if value is not None)


def _referring(rel: Any, pks: Collection[int]) -> Any:
    """Pairs: whom it refers to, and the referring row."""
    name = rel.field.attname
    return rel.related_model._base_manager.filter(**{f"{name}__in": pks}).values_list(name, "pk")
