"""Errors that any part may raise and the web process answers."""

from __future__ import annotations


class BadRequest(ValueError):
    """One field is wrong: its name, a sentence, and what would be right."""

    def __init__(self, field: str, message: str, valid: object = None) -> None:
        super().__init__(message)
        self.field, self.message, self.valid = field, message, valid


class Unavailable(Exception):
    """What was asked for cannot be done at the moment: 503, with the seconds after which to ask again."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.message, self.retry_after_s = message, retry_after_s
