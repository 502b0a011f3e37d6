"""`Idempotency-Key`: a POST that is sent again, because its answer got lost, is answered again and not done again.

A key belongs to its caller and path, and is remembered for a day. Only good answers are kept: what has failed may be
tried again with the same key. Sent while the first is still being answered, it is told to come again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone

from oven.accounts.models import KeyedAnswer
from oven.http.errors import error
from oven.storage.models import Artifact
from oven.storage.stores import stream

log = logging.getLogger(__name__)
HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEPT = timedelta(hours=24)
GRACE_S = 60.0  # after the longest wait: whoever was answering has died
BUSY_RETRY_S = 2
MOST_BODY = 1 << 20
CLEARED_AT_ONCE = 50
WELL_FORMED = re.compile(r"[\x21-\x7e]{1,255}")
NOT_KEPT = {"set-cookie", "date", "content-length"}
Next = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


async def answer(request: HttpRequest, caller: str, get_response: Next) -> HttpResponseBase:
    """Does what was asked for once. `caller`: whose key it is."""
    key = request.headers[HEADER]
    if not WELL_FORMED.fullmatch(key):
        return error(400, f"{HEADER}: 1 to 255 visible ASCII characters are needed.", field=HEADER)
    digest = _digest(caller, request.path_info, key)
    found = await sync_to_async(_claim)(digest, _fingerprint(request))
    if isinstance(found, HttpResponseBase):
        return found
    kept = False
    try:
        response = await get_response(request)
        kept = await sync_to_async(_kept)(found, response)
        return response
    finally:  # also when the caller went away
        if not kept:
            await sync_to_async(_release)(found)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _fingerprint(request: HttpRequest) -> str:
    """Of all that was asked; the same JSON in another order is the same."""
    try:
        body = json.dumps(json.loads(request.body), sort_keys=True).encode()
    except (ValueError, RecursionError):
        body = request.body
    head = f"{request.content_type}\0{request.META.get('QUERY_STRING', '')}\0".encode()
    return hashlib.sha256(head + body).hexdigest()


def _claim(digest: str, fingerprint: str) -> KeyedAnswer | HttpResponseBase:
    """A new row, for whoever is to do it; else the answer there is."""
    _clear(digest)
    try:
        with transaction.atomic():
            return KeyedAnswer.objects.create(digest=digest, fingerprint=fingerprint)
    except IntegrityError:
        found = KeyedAnswer.objects.filter(digest=digest).first()
    if found is not None and found.fingerprint != fingerprint:
        text = f"{HEADER}: this key was used for a request with another body."
        return error(409, text, field=HEADER)
    if found is None or found.status is None:
        response = error(409, f"{HEADER}: the same request is being answered.", field=HEADER)
        response.headers["Retry-After"] = str(BUSY_RETRY_S)
        return response
    return _replay(found)


def _clear(digest: str) -> None:
    """Rows past their time: this one's, and a few others."""
    now = timezone.now()
    lease = timedelta(seconds=max(settings.OVEN_WAIT_S, settings.OVEN_BUNDLE_WAIT_S) + GRACE_S)
    rows = KeyedAnswer.objects.filter(digest=digest)
    rows.filter(Q(created_at__lt=now - KEPT) | Q(status=None, created_at__lt=now - lease)).delete()
    old = KeyedAnswer.objects.filter(created_at__lt=now - KEPT).values_list("pk", flat=True)[:CLEARED_AT_ONCE]
    KeyedAnswer.objects.filter(pk__in=list(old)).delete()
    gone = rows.exclude(artifact_id=None).first()
    if gone is not None and not Artifact.objects.filter(pk=gone.artifact_id).exists():
        gone.delete()  # its file has been cleared away: it is made anew


def _kept(row: KeyedAnswer, response: HttpResponseBase) -> bool:
    """Keep the answer if it is one to be given again. It is given now even if it cannot be kept: it was done.

    Then the key stays taken until its lease ends.
    """
    try:
        return _keep(row, response)
    except OperationalError as error:
        log.error("an answer could not be kept for its %s: %s", HEADER, error)
        return True


def _release(row: KeyedAnswer) -> None:
    try:
        KeyedAnswer.objects.filter(pk=row.pk, status=None).delete()
    except OperationalError as error:
        log.error("an %s could not be released, and is taken until its lease ends: %s", HEADER, error)


def _keep(row: KeyedAnswer, response: HttpResponseBase) -> bool:
    """Whether the answer is one to be given again."""
    artifact: Artifact | None = getattr(response, "artifact", None)
    body = b"" if artifact or response.streaming else getattr(response, "content", b"")
    if response.status_code >= 400 or len(body) > MOST_BODY or (response.streaming and artifact is None):
        return False
    headers = {name: value for name, value in response.headers.items() if name.lower() not in NOT_KEPT}
    values = {"status": response.status_code, "headers": headers, "body": body}
    if artifact is not None:
        values["artifact_id"] = artifact.pk
    return bool(KeyedAnswer.objects.filter(pk=row.pk, status=None).update(**values))


def _replay(row: KeyedAnswer) -> HttpResponseBase:
    headers = {**row.headers, REPLAYED: "true"}
    artifact = Artifact.objects.filter(pk=row.artifact_id).first() if row.artifact_id else None
    if artifact is None:
        return HttpResponse(bytes(row.body), status=row.status, headers=headers)
    headers["Content-Length"] = str(artifact.bytes)
    return StreamingHttpResponse(stream(artifact.store, artifact.key), status=row.status, headers=headers)
