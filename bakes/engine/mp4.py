"""The MP4: H.264 with every frame's own time, AAC beside it, index at the front."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from bakes.engine.effort import effort
from bakes.engine.soundtrack import Sound, broken
from bakes.engine.spec import BakeSpec
from bakes.engine.timing import CLOCK

TICK = Fraction(1, CLOCK)
KEPT_RATES = (44_100, 48_000)  # of sound; others become the latter
AAC_FRAME = 1024  # samples
CONTAINER = {"movflags": "+faststart", "video_track_timescale": str(CLOCK), "movie_timescale": str(CLOCK)}


class Mp4:
    """Takes frames and samples as they come. Leaves a file behind only where `finish` was reached: delete it else."""

    def __init__(
        self, path: Path, size: tuple[int, int], rate: Fraction, spec: BakeSpec, sound: Sound | None
    ) -> None:
        self._container = av.open(str(path), "w", format="mp4", container_options=CONTAINER)
        self._video = self._add_video(size, rate, spec)
        self._durations: dict[int, int] = {}  # of the frames inside the encoder, by their start, in order
        self._held: list[av.Packet] = []  # needed for a frame that is shown before them
        self._decoded = 0  # tick at which the last muxed packet is decoded
        self._sound = (
            SoundEncoder(self._container.add_stream("aac", rate=_rate(sound)), sound, spec) if sound else None
        )

    def add_frame(self, frame: av.VideoFrame, start: int, end: int, closing: bool) -> None:
        """Shows a yuv420p frame from one tick to another; ticks rise from 0. `closing`: one of the last two."""
        frame.pts, frame.time_base = start, TICK
        # The last frame must be the last in the file too, for its duration to be the last: none may lean on it.
        frame.pict_type = PictureType.P if closing and start else PictureType.NONE
        self._durations[start] = end - start
        self._mux_video(self._video.encode(frame))

    def add_samples(self, data: bytes) -> None:
        assert self._sound is not None
        try:
            packets = list(self._sound.encode(data))
        except FFmpegError:
            raise broken("its samples are not numbers that can be encoded") from None
        for packet in packets:
            self._container.mux(packet)

    @property
    def sound_ms(self) -> float:
        """How much sound was taken so far."""
        return self._sound.taken_ms if self._sound else 0.0

    def finish(self) -> None:
        """Writes what the encoders still hold, and the index. Raises BakeError."""
        for packet in self._sound.flush() if self._sound else ():
            self._container.mux(packet)
        self._mux_video(self._video.encode(None))
        self._container.close()

    def abort(self) -> None:
        """Lets go of the file and the encoder's threads; harmless after `finish`."""
        with contextlib.suppress(FFmpegError):  # what happened before is what matters
            self._container.close()
        del self._container, self._video, self._sound

    def _mux_video(self, packets: list[av.Packet]) -> None:
        """Gives every packet its frame's duration and a time of decoding.

        The encoder's own times of decoding begin before 0 and step in other frames' durations: with uneven frames the
        track would end at another time than its last frame. Ours begin at 0 and end with the last frame's own time:
        packets that come early are decoded, evenly spread, before the frame that comes next is shown.
        """
        for packet in packets:
            shown, first = packet.pts or 0, next(iter(self._durations))
            packet.duration = self._durations.pop(shown)  # else the last frame's time is lost
            self._held.append(packet)
            if shown == first:
                self._mux_held(shown)

    def _mux_held(self, until: int) -> None:
        step = (until - self._decoded) / len(self._held)
        for index, packet in enumerate(self._held, 1):
            packet.dts = self._decoded + round(step * index)
            self._container.mux(packet)
        self._held, self._decoded = [], until

    def _add_video(self, size: tuple[int, int], rate: Fraction, spec: BakeSpec) -> VideoStream:
        how = effort(size[0] * size[1], spec)
        stream = self._container.add_stream("libx264", rate=rate, options=how.options)
        assert isinstance(stream, VideoStream)
        codec = stream.codec_context
        codec.width, codec.height = size
        codec.pix_fmt, codec.time_base = "yuv420p", TICK
        codec.thread_count = how.threads
        codec.thread_type = "SLICE" if how.slices else "FRAME"  # libav's own choice, slices, is slower and larger
        _tag_colors(codec)
        return stream


class SoundEncoder:
    """Samples as the WAV has them to packets of AAC."""

    def __init__(self, stream: AudioStream, sound: Sound, spec: BakeSpec) -> None:
        self._sound, self._stream = sound, stream
        layout = "mono" if sound.channels == 1 else "stereo"
        stream.codec_context.bit_rate = spec.sound_bitrate
        stream.codec_context.layout = layout
        self._resampler = AudioResampler("fltp", layout, _rate(sound), AAC_FRAME)
        self._samples = _samples_decoder(sound)
        self._read = self._written = 0

    @property
    def taken_ms(self) -> float:
        return self._read * 1000 / self._sound.rate

    def encode(self, data: bytes) -> Iterator[av.Packet]:
        self._read += len(data) // self._sound.block
        for frame in self._samples.decode(av.Packet(data)):
            frame.pts = None
            yield from self._resampled(frame)

    def flush(self) -> Iterator[av.Packet]:
        yield from self._resampled(None)
        yield from self._stream.encode(None)

    def _resampled(self, frame: av.AudioFrame | None) -> Iterator[av.Packet]:
        for piece in self._resampler.resample(frame):
            piece.pts, piece.time_base = self._written, Fraction(1, piece.sample_rate)
            self._written += piece.samples
            yield from self._stream.encode(piece)


def _tag_colors(codec: VideoCodecContext) -> None:
    codec.color_range = ColorRange.MPEG
    codec.colorspace = Colorspace.ITU709
    codec.color_primaries = ColorPrimaries.BT709
    codec.color_trc = ColorTrc.BT709


def _rate(sound: Sound) -> int:
    return sound.rate if sound.rate in KEPT_RATES else KEPT_RATES[-1]


def _samples_decoder(sound: Sound) -> AudioCodecContext:
    codec = av.CodecContext.create(sound.codec, "r")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate = sound.rate
    codec.layout = {1: "mono", 2: "stereo"}.get(sound.channels, f"{sound.channels} channels")
    return codec
