"""Insert many new rows that differ in a few fields only.

`bulk_create` takes three times the CPU (5.8 s instead of 2.0 s for 10,000 grabs): `docs/decisions/024-by-hand.md`.
"""

from __future__ import annotations

from typing import Any

from django.db import connection, models, transaction


def insert_many(model: type[models.Model], rows: list[dict[str, Any]], shared: dict[str, Any]) -> None:
    """Inserts a row for each of `rows` (which all name the same fields); what they do not name is alike in all.

    Rows that a unique constraint forbids are left out without a word.
    """
    if not rows:
        return
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    first = model(**shared, **rows[0])
    values = {field.attname: field.get_db_prep_save(field.pre_save(first, True), connection) for field in fields}
    own = [(field, field.attname) for field in fields if field.attname in rows[0]]
    params = []
    for row in rows:
        values.update({name: field.get_db_prep_save(row[name], connection) for field, name in own})
        params.append(tuple(values.values()))
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    statement = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING"  # nosec B608
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(statement, params)
