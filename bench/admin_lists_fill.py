"""A million grabs with their attempts and files, made by the database itself. For `bench.admin_lists`."""

from __future__ import annotations

import json
from typing import Any

from django.db import connection
from django.db.models import JSONField, Model

from captures.models import Grab
from oven.jobs.models import Attempt
from oven.storage.models import Artifact

PIECES = 20_000
WORDS = ("roz", "orbit", "prism", "tiles", "wipe", "moon", "line", "box", "wave", "paint")
CODES = ("timeout", "unreachable", "http_status", "blank", "hung", "crashed", "memory", "encode", "browser_lost")
SPEC = '{"piece": "orbit", "format": "webp", "width": 512, "height": 512, "duration_ms": 12000, "fps": 7.5}'
SPANS = '{"queue": 120, "open": 45, "load": 310, "ready": 220, "capture": 1650, "encode": 840, "store": 12}'
START = "2025-01-01 00:00:00"
ACTIVE = 100  # of the newest


def fill(rows: int) -> None:
    """Once: a database that has its rows stays as it is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM captures_piecename")
        if cursor.fetchone()[0]:
            return
        for model, count, columns in (
            (Artifact, rows, artifact()),
            (Grab, rows, grab(rows)),
            (Attempt, rows + rows // 5, attempt(rows)),
        ):
            _insert(cursor, model._meta.db_table, count, {**_defaults(model), **columns})
        cursor.execute("INSERT INTO captures_piecename (name) SELECT DISTINCT piece FROM captures_grab")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")  # as its own housekeeping would


def _defaults(model: type[Model]) -> dict[str, str]:
    """For columns that this file knows nothing of."""
    found: dict[str, str] = {}
    for field in model._meta.concrete_fields:
        if field.null or field.primary_key or field.is_relation:
            continue
        value = field.get_default()
        found[field.column] = _json(json.dumps(value)) if isinstance(field, JSONField) else _literal(value)
    return found


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else f"'{value or ''}'"


def _insert(cursor: Any, table: str, count: int, columns: dict[str, str]) -> None:
    """Without its indexes, which are made again afterwards."""
    indexes = _indexes(cursor, table)
    names, values = ", ".join(columns), ", ".join(columns.values())
    for name, _ in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    start, source = _numbers(count)
    cursor.execute(f"INSERT INTO {table} ({names}) {start} SELECT {values} FROM {source}")
    for _, definition in indexes:
        cursor.execute(definition)


def _indexes(cursor: Any, table: str) -> list[tuple[str, str]]:
    if connection.vendor == "sqlite":
        cursor.execute(
            f"SELECT name, sql FROM sqlite_master WHERE type='index' AND sql IS NOT NULL AND tbl_name='{table}'"
        )
    else:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename=%s AND indexname NOT IN "
            "(SELECT conname FROM pg_constraint)",
            [table],
        )
    return list(cursor.fetchall())


def _numbers(count: int) -> tuple[str, str]:
    """A WITH clause and a source of the numbers from 1."""
    if connection.vendor == "sqlite":
        return f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count})", "s"
    return "", f"generate_series(1::bigint, {count}::bigint) AS s(n)"


def _moment(seconds: str) -> str:
    if connection.vendor == "sqlite":
        return f"strftime('%Y-%m-%d %H:%M:%f', '{START}', '+' || ({seconds}) || ' seconds') || '000'"
    return f"TIMESTAMPTZ '{START}+00' + ({seconds}) * INTERVAL '1 second'"


def _json(text: str) -> str:
    return f"'{text}'" if connection.vendor == "sqlite" else f"'{text}'::jsonb"


def _pick(values: tuple[str, ...], number: str) -> str:
    cases = " ".join(f"WHEN {place} THEN '{value}'" for place, value in enumerate(values))
    return f"CASE ({number}) % {len(values)} {cases} END"


def _often(*parts: tuple[int, str]) -> str:
    """A value for every so-manieth row, the first that fits; the last is for all others."""
    cases = " ".join(f"WHEN (n * 7919) % {every} = 0 THEN '{value}'" for every, value in parts[:-1])
    return f"CASE {cases} ELSE '{parts[-1][1]}' END"


# A third of the rows belongs to the first 200 pieces, the rest to all alike.
NUMBER = f"(CASE WHEN n % 3 = 0 THEN (n * 31) % 200 ELSE (n * 7919) % {PIECES} END)"


def piece() -> str:
    return f"{_pick(WORDS, NUMBER)} || '-' || {NUMBER}"


def _public_id() -> str:
    return f"{piece()} || '-' || substr('00000000' || n, length('' || n) + 1)"


def artifact() -> dict[str, str]:
    mime = _often((2_000, "video/mp4"), (5, "image/png"), (7, "image/gif"), (1, "image/webp"))
    return {
        "id": "n",
        "store": _often((50, "blobs"), (1, "art")),
        "key": f"'oven/grabs/' || {_public_id()} || '.webp'",
        "mime": mime,
        "bytes": "20000 + n % 90000",
        "sha256": "substr('0000000000000000000000000000000000000000000000000000000000000000' || n * 7919, -64)"
        if connection.vendor == "sqlite"
        else "lpad('' || n::bigint * 7919, 64, '0')",
        "width": "512",
        "height": "512",
        "created_at": _moment("n * 60 + 3"),
        "expires_at": _moment("n * 60 + 2592000"),
    }


def grab(rows: int) -> dict[str, str]:
    active = f"n > {rows - ACTIVE}"
    ended = f"CASE WHEN {active} THEN NULL ELSE"
    failed = "(n * 7919) % 20 = 0"
    rare = "(n * 7919) % 20000 = 0"
    state = f"CASE WHEN {failed} THEN 'failed' WHEN (n * 7919) % 97 = 0 THEN 'cancelled' ELSE 'complete' END"
    return {
        "id": "n",
        "public_id": _public_id(),
        "state": f"CASE WHEN n > {rows - 4} THEN 'running' WHEN {active} THEN 'queued' ELSE {state} END",
        "stage": "''",
        "percent": "100",
        "detail": "''",
        "lane": _often((1_000, "keep"), (9, "batch"), (1, "now")),
        "rank": "0",
        "source": _often((50_000, "migration"), (11, "again"), (6, "live"), (1, "manual")),
        "spec": _json(SPEC),
        "attempt": "1",
        "max_attempts": "3",
        "worker": "'host:capture:1'",
        "created_at": _moment("n * 60"),
        "started_at": _moment("n * 60 + 1"),
        "ended_at": f"{ended} {_moment('n * 60 + 4 + n % 7')} END",
        "error_code": f"CASE WHEN {rare} THEN 'no_browser' WHEN {failed} THEN {_pick(CODES, 'n / 20')} ELSE '' END",
        "error_message": f"CASE WHEN {failed} THEN 'The page did not answer in time.' ELSE '' END",
        "spans": _json(SPANS),
        "piece": piece(),
        "format": _often((2_000, "mp4"), (5, "png"), (7, "gif"), (1, "webp")),
        "out_width": "512",
        "out_height": "512",
        "capture_key": f"{piece()} || '_512x512_webp_anim_v1_' || n",
        "keep_id": "''",
        "artifact_id": "n",
        "poster": f"'oven/posters/' || {_public_id()} || '.webp'",
        "expires_at": _moment("n * 60 + 2592000"),
        "mode": _often((33, "realtime"), (1, "virtual")),
        "ready": "'signal'",
        "ready_ms": "220",
        "still_reason": _often((30_000, "flat"), (31, "frozen"), (1, "")),
        "blank": "(n * 7919) % 1000 = 0",
    }


def attempt(rows: int) -> dict[str, str]:
    """One for every grab, and a second one for every fifth."""
    job = f"(CASE WHEN n <= {rows} THEN n ELSE (n - {rows}) * 5 END)"
    identity = _public_id().replace("(n * 31)", f"({job} * 31)").replace("(n * 7919)", f"({job} * 7919)")
    identity = identity.replace("n % 3", f"{job} % 3").replace("'00000000' || n", f"'00000000' || {job}")
    identity = identity.replace("'' || n", f"'' || {job}")
    failed = "(n * 7919) % 20 = 0"
    return {
        "id": "n",
        "kind": "'grab'",
        "job_pk": job,
        "job_id": identity,
        "number": f"CASE WHEN n <= {rows} THEN 1 ELSE 2 END",
        "worker": "'host:capture:1'",
        "outcome": f"CASE WHEN {failed} THEN 'failed' ELSE 'complete' END",
        "started_at": _moment("n * 50"),
        "ended_at": _moment("n * 50 + 3"),
        "error_code": f"CASE WHEN {failed} THEN {_pick(CODES, 'n / 20')} ELSE '' END",
        "error_message": "''",
        "spans": _json(SPANS),
        "evidence": _json('{"mode": "virtual", "requests": 14}'),
        "last_frame": "''",
        "log": "'opened, loaded, captured, encoded, stored'",
    }
