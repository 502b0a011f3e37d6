"""What callers of the card routes may say."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from captures.engine.cards.spec import Layout
from captures.og_images.serializers import VALID
from oven.http.fields import Choice, Flag, Schema


class Lenient(Choice):
    """Unknown ones are the default."""

    def read(self, value: Any) -> str:
        return super().read(value if value in self.valid else None)


class LayoutQuery(Schema):
    layout: Annotated[
        Layout,
        Lenient(tuple(VALID), fold=False),
        Field(description="Which card; unknown ones are read as mosaic.", examples=["mosaic"]),
    ] = Layout.MOSAIC


class ForceQuery(Schema):
    force: Annotated[
        bool, Flag(), Field(description="Make it again, from new captures (scope grab).", examples=[False])
    ] = False


class CardQuery(ForceQuery):
    layout: Annotated[
        Layout,
        Choice(tuple(VALID), fold=False, blank=False),
        Field(description="Which card.", examples=["featured"]),
    ] = Layout.FEATURED
