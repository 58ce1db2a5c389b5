"""Video in and out; audio comes from `audio_file`. Every length is streamed, every bad file is one clear line.

Limits are checked before anything is decoded, because a small file can claim an enormous image.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import numpy as np
from av.video.reformatter import Colorspace, VideoReformatter
from jaxtyping import UInt8

from vasa_jax import containers, frame_grid
from vasa_jax.audio_file import (  # noqa: F401 - part of this module for those who use it
    FPS,
    MAX_SECONDS,
    MIN_SECONDS,
    SAMPLE_RATE,
    SAMPLES_PER_FRAME,
    AudioReader,
    resample,
)
from vasa_jax.containers import Damage
from vasa_jax.errors import InputError
from vasa_jax.files import replacing
from vasa_jax.paths import PathLike, check_file, check_output
from vasa_jax.video_images import Shown

MAX_VIDEO_SIDE = 4096
_BEFORE = 1.0  # seconds that are decoded before the first frame asked for, where a file can be sought
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def _open(path: Path) -> av.container.InputContainer:
    try:
        return containers.open_container(path)
    except (av.error.FFmpegError, OSError, ValueError):
        raise InputError(
            f"{path} is not a readable audio or video file: give WAV, FLAC, MP3, OGG, M4A or MP4"
        ) from None


class VideoReader:
    """The frames of a video at a constant rate as a player shows them, chosen by time stamp and so frame-exact.

    Attributes: width, height (as shown), rate (the file's own average frames a second, or None), notes (lines about
    what the images needed that was guessed or lost something; see `video_images`), damage (the images that could
    not be decoded when `frames` was last read; the one before stands in for each).
    """

    def __init__(self, path: PathLike, fps: int = FPS):
        self.path, self.fps = check_file(path, "a video (MP4, MOV, MKV, WebM, AVI, MPEG)"), fps
        with _open(self.path) as container:
            if not container.streams.video:
                raise InputError(f"{self.path} has no image: give a video")
            stream = container.streams.video[0]
            self.rate = float(stream.average_rate) if stream.average_rate else None
            context = stream.codec_context
            if context is None:
                raise InputError(f"{self.path}: its images cannot be decoded; convert it to MP4")
            if not 0 < max(context.width, context.height) <= MAX_VIDEO_SIDE:
                raise InputError(
                    f"{self.path}: {context.width}x{context.height}; at most {MAX_VIDEO_SIDE} pixels a side"
                )
        self.damage = Damage(self.rate or fps, "images")
        first = next(self.frames(), None)
        if first is None:
            raise InputError(f"{self.path} holds no frame that can be decoded: give another video")
        self.height, self.width = first.shape[:2]

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        return self.frames()

    def frames(self, start: int = 0, count: int | None = None) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """Frames start, start+1, ... of `fps` a second; an image is repeated where one lacks (`frame_grid`)."""
        with _open(self.path) as container:
            stream = container.streams.video[0]
            origin = containers.begins(stream)
            if start and frame_grid.can_seek(container):
                seconds = origin + max(start / self.fps - _BEFORE, 0.0)
                assert stream.time_base is not None  # of a file that is open
                container.seek(int(seconds / stream.time_base), stream=stream, backward=True)
            show = Shown(self.path, stream, MAX_VIDEO_SIDE)
            self.notes = show.notes
            self.damage = Damage(self.rate or self.fps, "images")
            images = self._on_grid(container, show, frame_grid.FrameGrid(self.fps, show.image, origin, start))
            yield from itertools.islice(images, count)

    def _on_grid(
        self, container: av.container.InputContainer, show: Shown, grid: frame_grid.FrameGrid
    ) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        for time, frame in show.whole(frame_grid.timed_frames(container, self.damage)):
            yield from grid.add(time, frame)
        yield from grid.finish()


class VideoWriter:
    """Writes H.264 (yuv420p, crf 18) with AAC in step, to a temporary file that `close` puts in place.

    A context manager: leaving it by an exception removes what was written. Audio is read and
    interleaved as the frames come, so memory does not grow with length.

    Args:
      path: the .mp4 to write.
      audio: the audio track, kept at its own rate where AAC knows it, else at 48 kHz.
      finish: called with the temporary file's path once it is complete, before it gets its name.
    """

    def __init__(
        self,
        path: PathLike,
        audio: AudioReader | None = None,
        fps: int = FPS,
        finish: Callable[[Path], None] | None = None,
    ):
        self.path, self.audio, self.fps, self.finish = check_output(path), audio, fps, finish
        self.count = 0
        self._stack = contextlib.ExitStack()
        self._container: av.container.OutputContainer | None = None
        self._reformatter = VideoReformatter()  # one for all frames: each has threads of its own

    def __enter__(self) -> Self:
        self._temporary = self._stack.enter_context(replacing(self.path))
        return self

    def __exit__(self, kind, error, trace) -> None:
        try:
            if kind is None:
                self._complete()
        except BaseException as failure:
            self._discard()
            self._stack.__exit__(type(failure), failure, failure.__traceback__)
            if isinstance(failure, (av.error.FFmpegError, OSError)):
                raise InputError(f"{self.path} could not be written: {failure}") from None
            raise
        if kind is not None:
            self._discard()
        self._stack.__exit__(kind, error, trace)

    def write(self, frame: UInt8[np.ndarray, "h w 3"]) -> None:
        """Adds one frame; an odd size gains a repeated row or column, since yuv420p needs even ones."""
        height, width = frame.shape[:2]
        if height % 2 or width % 2:
            frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        try:
            container = self._container or self._begin(*frame.shape[:2])
            image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            image = self._reformatter.reformat(
                image, format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range="MPEG"
            )
            image.pts, image.time_base = self.count, Fraction(1, self.fps)
            container.mux(self._video.encode(image))
            self.count += 1
            self._push_audio(container, until=self.count / self.fps)
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(f"{self.path} could not be written: {error}") from None

    def _begin(self, height: int, width: int) -> av.container.OutputContainer:
        self._container = container = containers.create(self._temporary, "mp4", options={"movflags": "+faststart"})
        self._video = container.add_stream("libx264", rate=self.fps, options={"crf": "18", "preset": "veryfast"})
        context = self._video.codec_context
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1  # BT.709
        if self.audio is None:
            self._audio, self._audio_done = None, 0
            return container
        rate = self.audio.rate if self.audio.rate in _AAC_RATES else 48_000
        layout = "stereo" if self.audio.channels == 2 else "mono"
        self._track = container.add_stream("aac", rate=rate, layout=layout)
        self._track.bit_rate = min(96_000, 5 * rate) * self.audio.channels
        self._audio, self._audio_done = resample(self.audio.blocks(), self.audio.rate, rate), 0
        return container

    def _push_audio(self, container: av.container.OutputContainer, until: float) -> None:
        while self._audio is not None and self._audio_done < until * self._track.rate:
            block = next(self._audio, None)
            if block is None:
                container.mux(self._track.encode(None))
                self._audio = None
                return
            if not len(block):
                continue
            part = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(block.T), format="fltp", layout=self._track.layout.name
            )
            part.sample_rate, part.pts = self._track.rate, self._audio_done
            self._audio_done += len(block)
            container.mux(self._track.encode(part))

    def _complete(self) -> None:
        if self._container is None:
            raise InputError(f"{self.path}: no frame was written")
        self._push_audio(self._container, until=float("inf"))
        self._container.mux(self._video.encode(None))
        self._container.close()
        if self.finish is not None:
            self.finish(self._temporary)

    def _discard(self) -> None:
        with contextlib.suppress(Exception):
            if self._container is not None:
                self._container.close()
