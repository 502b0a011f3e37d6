"""What can go wrong in a bundle: a code to filter by, a sentence to read, and whether a retry can help."""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """Every way a bundle fails. `retry` says whether the same work may succeed later."""

    BAD_SPEC = "bad_spec"
    NOT_FOUND = "not_found"  # no such piece or code
    NO_SOURCES = "no_sources"  # the tree is missing, or has none of the files that it starts from
    SYNTAX = "syntax"
    UNREADABLE = "unreadable"  # a file that is not text, or not a file
    MISSING_IMPORT = "missing_import"
    OUTSIDE_TREE = "outside_tree"
    FOREIGN_IMPORT = "foreign_import"  # from another site: not there offline
    TOO_LARGE = "too_large"
    FETCH = "fetch"
    NO_NODE = "no_node"
    WORKER_LOST = "worker_lost"
    TIMEOUT = "timeout"

    @property
    def retry(self) -> bool:
        return self in _WORTH_RETRYING


_WORTH_RETRYING = {ErrorCode.FETCH, ErrorCode.WORKER_LOST, ErrorCode.TIMEOUT}


class BundleError(Exception):
    """A bundle that did not come about. `file` is below the tree's root; lines and columns count from 1."""

    def __init__(self, code: ErrorCode, message: str, *, file: str = "", line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.file = file
        self.line = line
        self.column = column

    @property
    def retry(self) -> bool:
        return self.code.retry


def at(file: str, line: int, column: int) -> str:
    """How a place is written in messages."""
    return f"{file}:{line}:{column}"
