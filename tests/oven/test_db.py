"""Migrations that add many indexes at once."""

from __future__ import annotations

import pytest
from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState

from oven.db import AddIndexes

BY_NAME, BY_AGE = (models.Index(fields=[field], name=f"thing_by_{field}") for field in ("name", "age"))


def things() -> ProjectState:
    fields = [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", models.TextField()),
        ("age", models.IntegerField()),
    ]
    state = ProjectState()
    migrations.CreateModel("Thing", fields).state_forwards("jobs", state)
    return state


@pytest.mark.django_db(transaction=True)
def test_indexes_are_added_and_removed() -> None:
    before = things()
    after = before.clone()
    operation = AddIndexes("thing", [BY_NAME, BY_AGE])
    operation.state_forwards("jobs", after)
    one_by_one = before.clone()
    for index in (BY_NAME, BY_AGE):
        migrations.AddIndex("thing", index).state_forwards("jobs", one_by_one)
    assert after.models == one_by_one.models

    def found() -> set[str]:
        with connection.cursor() as cursor:
            return {name for name in connection.introspection.get_constraints(cursor, "jobs_thing") if "by_" in name}

    thing = before.apps.get_model("jobs", "Thing")
    with connection.schema_editor() as editor:
        editor.create_model(thing)
        operation.database_forwards("jobs", editor, before, after)
    try:
        assert found() == {"thing_by_name", "thing_by_age"}
        with connection.schema_editor() as editor:
            operation.database_backwards("jobs", editor, after, before)
        assert found() == set()
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(thing)


def test_it_is_written_as_it_was_made() -> None:
    name, args, kwargs = AddIndexes("thing", [BY_NAME]).deconstruct()
    assert (name, args, kwargs) == ("AddIndexes", [], {"model_name": "thing", "indexes": [BY_NAME]})
