"""From a frame's RGB to the video's planes: enlarged, in BT.709, with colours that keep to their pixels."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import av
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.format import VideoFormat

from bakes.engine.errors import BakeError, ErrorCode
from bakes.engine.spec import TapeLimits
from bakes.engine.timing import CLOCK

TICK = Fraction(1, CLOCK)
BT709 = "out_color_matrix=bt709:out_range=tv"


def factor(width: int, height: int, frames: int, wanted: int, limits: TapeLimits) -> int:
    """The largest whole factor up to `wanted` that keeps the video within what players and memory take.

    Raises BakeError (VIDEO_TOO_LARGE) for a tape that is too large as it is.
    """
    for times in range(wanted, 0, -1):
        pixels = width * height * times * times
        fits = max(width, height) * times <= limits.video_side and pixels <= limits.picture_pixels
        if (fits or times == 1) and pixels * frames <= limits.video_pixels:
            return times
    message = (
        f"{frames:,} frames of {width}x{height} are more than the {limits.video_pixels:,} pixels allowed in all."
    )
    raise BakeError(ErrorCode.VIDEO_TOO_LARGE, message)


def even(side: int) -> int:
    """What H.264 can hold of it: at most one pixel is dropped."""
    return max(2, side - side % 2)


class Enlarger:
    """Turns "rgb24" and "rgba" frames of one size into yuv420p frames, `times` as large, sides made even."""

    def __init__(self, width: int, height: int, times: int) -> None:
        self._source, self._times = (width, height), times
        self.size = even(width * times), even(height * times)
        self._graphs: dict[str, Graph] = {}

    def enlarge(self, frame: av.VideoFrame) -> av.VideoFrame:
        graph = self._graphs.get(frame.format.name)
        if graph is None:
            graph = self._graphs[frame.format.name] = self._build(frame.format.name)
        frame.pts = 0
        graph.push(frame)
        result = graph.pull()
        assert isinstance(result, av.VideoFrame)
        return result

    def _build(self, pixels: str) -> Graph:
        graph = Graph()
        graph.threads = 1
        width, height = self._source
        source = graph.add_buffer(width=width, height=height, format=VideoFormat(pixels), time_base=TICK)
        whole = self._whole(graph, source) if self._times == 1 else self._by_planes(graph, source)
        _chain(whole, graph.add("format", "yuv420p"), graph.add("buffersink"))
        graph.configure()
        return graph

    def _whole(self, graph: Graph, source: FilterContext) -> FilterContext:
        crop = graph.add("crop", "{}:{}:0:0:exact=1".format(*self.size))
        return _chain(source, crop, graph.add("scale", f"flags=bicubic:{BT709}"))

    def _by_planes(self, graph: Graph, source: FilterContext) -> FilterContext:
        """Brightness by nearest neighbour, colour smoothly.

        There is one colour for every four pixels, but a pixel of the tape is nine: taken from the nearest neighbour,
        a third of all pixels would get the colour of the pixel beside. Working on planes also means that colours are
        converted before they are enlarged.
        """
        split = graph.add("extractplanes", "y+u+v")
        to_planes = graph.add("scale", f"flags=neighbor+full_chroma_inp:{BT709}")
        _chain(source, to_planes, graph.add("format", "yuv444p"), split)
        merge = graph.add("mergeplanes", "map0s=0:map0p=0:map1s=1:map1p=0:map2s=2:map2p=0:format=yuv420p")
        for index, (halving, flags) in enumerate([(1, "neighbor"), (2, "bicubic"), (2, "bicubic")]):
            width, height = (-(-side * self._times // halving) for side in self._source)
            scale = graph.add("scale", f"{width}:{height}:flags={flags}")
            crop = graph.add("crop", f"{self.size[0] // halving}:{self.size[1] // halving}:0:0:exact=1")
            split.link_to(scale, index, 0)
            _chain(scale, crop, graph.add("setsar", "1")).link_to(merge, 0, index)  # halves are not quite in shape
        return merge


def _chain(*filters: FilterContext) -> FilterContext:
    for one, next_one in pairwise(filters):
        one.link_to(next_one)
    return filters[-1]
