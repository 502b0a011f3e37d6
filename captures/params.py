"""Parts of paths that several routes have, for the OpenAPI file."""

from __future__ import annotations

from typing import Annotated

from ninja import Path

PieceName = Annotated[
    str, Path(..., description="The piece's name; a slash in it is sent as %2F.", examples=["$bloom"])
]
PictureName = Annotated[
    str, Path(..., description="The piece's name and the ending `.png`.", examples=["$bloom.png"])
]
Size = Annotated[
    str,
    Path(
        ...,
        description="`WIDTHxHEIGHT` in pixels. Too large a side is capped; what is not a number is the default.",
        examples=["128x128"],
    ),
]
