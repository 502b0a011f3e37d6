"""The site's own reader of event streams, as strict as it is: hand-written, without a library."""

from __future__ import annotations

import json
from typing import Any


def parse_stream(body: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Names and data. One space after each colon, `event:` before `data:`, one `data:` line; anything else fails."""
    text = body.decode()
    assert text.endswith("\n\n"), "the stream ends in the middle of an event"
    found = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        lines = block.split("\n")
        assert len(lines) == 2, f"an event of {len(lines)} lines"
        event, data = lines
        assert event.startswith("event: "), event[:40]
        assert data.startswith("data: "), data[:40]
        found.append((event.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found
