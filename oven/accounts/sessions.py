"""Sessions in the database that end by themselves: unused for a while, or after a while in any case.

A session's use is noted at most every few minutes, so that reading pages writes next to nothing.
"""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.db import OperationalError

BEGAN, USED = "oven_began", "oven_used"
NOTED_EVERY_S = 300.0


class SessionStore(db.SessionStore):
    """`BEGAN` and `USED` are seconds since the epoch."""

    def load(self) -> dict[str, Any]:
        return self._aged(super().load())

    async def aload(self) -> dict[str, Any]:
        return self._aged(await super().aload())

    def save(self, must_create: bool = False) -> None:
        """Write the session. Raises OperationalError, which Django would report as a deleted session."""
        try:
            super().save(must_create)
        except UpdateError as error:
            if isinstance(error.__context__, OperationalError):
                raise error.__context__ from None
            raise

    @classmethod
    def get_model_class(cls) -> Any:
        return db.SessionStore.get_model_class()

    def _aged(self, data: dict[str, Any]) -> dict[str, Any]:
        """The data, or nothing of a session that is too old; its row goes when sessions are cleared."""
        if SESSION_KEY not in data:
            return data
        now = time.time()
        began, used = data.setdefault(BEGAN, now), data.setdefault(USED, 0.0)
        if now - began > settings.OVEN_SESSION_MAX_S or (used and now - used > settings.OVEN_SESSION_IDLE_S):
            self._session_key = None
            return {}
        if now - used > min(NOTED_EVERY_S, settings.OVEN_SESSION_IDLE_S / 4):
            data[USED] = now
            self.modified = True
        return data
