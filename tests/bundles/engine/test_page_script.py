"""The page's own script."""

from __future__ import annotations

import json
import re

from bundles.engine.engine import Engine
from bundles.engine.mime import TYPES
from bundles.engine.page import loader_source, make_loader


def test_the_page_knows_the_same_types() -> None:
    found = re.search(r"const TYPES = {(.*?)};", loader_source(), re.S)
    assert found
    pairs = re.findall(r"(\w+): '([^']+)'", found[1])
    assert {f".{name}": mime for name, mime in pairs} == TYPES


def test_the_script_is_small_and_ends_nowhere_else(engine: Engine) -> None:
    text = make_loader(engine.node, True)
    assert len(text) < 12_000
    assert not re.search(r"</script|<!--|document\.write|sourceMappingURL", text, re.I)


def test_nothing_of_the_page_reaches_out(engine: Engine) -> None:
    addresses = set(re.findall(r"https?://[\w.-]+", make_loader(engine.node, True)))
    assert addresses == {"https://bundle.invalid"}, json.dumps(sorted(addresses))
