"""The document: two payloads, the facts of this one bundle, and the loader."""

from __future__ import annotations

import html
import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from bundles.engine.node import NodeWorker
from bundles.engine.packing import to_json
from bundles.engine.spec import SiteShape

HERE = Path(__file__).resolve().parent / "page"
TEMPLATE = 2  # raise it when the page puts the same payloads up differently
ENDS_SCRIPT = re.compile(r"</script|<!--", re.I)

DOCUMENT = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, user-scalable=no">
<title>{title}</title>
</head>
<body>
<script type="{type}" data-pack="core">{core}</script>
<script type="{type}" data-pack="piece">{piece}</script>
<script type="application/json" data-pack="facts">{facts}</script>
<script>{loader}</script>
</body>
</html>
"""


@cache
def loader_source() -> str:
    kernel = (HERE / "kernel.js").read_text("utf-8").strip()
    loader = (HERE / "loader.js").read_text("utf-8")
    return f"(() => {{\nconst kernel = {kernel};\n{loader}}})();"


def make_loader(node: NodeWorker, minify: bool) -> str:
    """The page's script. It goes into a script element as it is."""
    source = loader_source()
    text = str(next(node.ask("script", code=source))["code"]) if minify else source
    assert not ENDS_SCRIPT.search(text)
    return text


def document(*, title: str, core: str, piece: str, packed: bool, facts: dict[str, Any], loader: str) -> str:
    """The whole file. Payloads are base64 of gzip when `packed`, else JSON without any `<`."""
    return _fill(
        DOCUMENT,
        title=html.escape(title),
        type="text/plain" if packed else "application/json",
        core=core,
        piece=piece,
        facts=to_json(facts),
        loader=loader,
    )


def style_and_body(shape: SiteShape, *, name: str, background: str, config: dict[str, Any]) -> dict[str, str]:
    """What the loader puts up before it starts the runtime."""
    values = {"name": html.escape(name), "config": to_json(config), "background": background}
    return {"style": _fill(shape.style, background=background), "body": _fill(shape.body, **values)}


def page_title(shape: SiteShape, name: str) -> str:
    return _fill(shape.title, name=name)


def epoch_ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def _fill(template: str, **values: str) -> str:
    """Puts values in place of `{name}`; other braces are the template's own, and values are not looked into."""
    return re.sub(r"{(\w+)}", lambda mark: values.get(mark[1], mark[0]), template)
