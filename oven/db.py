"""Database helpers that the models and migrations of every app share."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor as SchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState


def list_indexes(name: str, *fields: str, date: str = "created_at") -> list[models.Index]:
    """One for each filter of a list that shows the newest first, and one for the list without a filter.

    Each holds the filter, the list's order and the key: a page, its date filter and its count read nothing else.
    """
    order = (f"-{date}", "-id")
    what = "ended" if date == "ended_at" else "list"
    found = [models.Index(fields=[field, *order], name=f"{name}_{field[:18]}_{what}") for field in fields]
    return [*found, models.Index(fields=order, name=f"{name}_{what}")]


class AddIndexes(Operation):
    """Do what an `AddIndex` for each of `indexes` does.

    Django builds the classes of a model and of all its relations again after each operation. With dozens of indexes,
    that is most of the time of a migration from nothing.
    """

    category = OperationCategory.ADDITION

    def __init__(self, model_name: str, indexes: list[models.Index]) -> None:
        self.model_name, self.indexes = model_name, indexes

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, [], {"model_name": self.model_name, "indexes": self.indexes}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        name = self.model_name.lower()
        options = state.models[app_label, name].options
        options["indexes"] = [*options.get("indexes", ()), *(index.clone() for index in self.indexes)]
        state.reload_model(app_label, name, delay=True)

    def database_forwards(
        self,
        app_label: str,
        schema_editor: SchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            for index in self.indexes:
                schema_editor.add_index(model, index)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: SchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            for index in reversed(self.indexes):
                schema_editor.remove_index(model, index)

    def describe(self) -> str:
        return f"Add {len(self.indexes)} indexes to {self.model_name}"
