"""Reads any video, of any length, as images at 25 a second and speech at 16 kHz, one image at a time.

Nothing grows with the length of the file but the audio (64 kB a second): whoever needs images twice reads twice.
Limits are checked before anything is decoded, and images are counted, because headers lie.
"""

import dataclasses
import os
import pathlib
from collections.abc import Iterator

import av
import numpy as np
from jaxtyping import Float, UInt8

from data_pipelines import schema
from data_pipelines.prepare import video
from vasa_jax import containers, frame_grid
from vasa_jax.containers import Damage
from vasa_jax.errors import InputError
from vasa_jax.video_images import Shown

MAX_SIDE = 4096
"""Pixels. A file of 200 kB may claim an 8192 x 8192 image: 200 MB each, once decoded."""
MIN_COUNTED = 0.95
"""Share of the images that the header claims, below which a file is called cut short."""


@dataclasses.dataclass(frozen=True)
class Header:
    """What a file says of itself. `frames` is 0 and `seconds` None where it says nothing."""

    width: int
    height: int
    frames: int
    seconds: float | None


class Video:
    """A stretch of a video file with audio.

    Args:
      path: the file.
      start, end: the stretch in seconds from the first image; None is the end of the file.
      audio: the file that holds the audio, if that is another one; both begin at the same moment.

    Attributes:
      header: what the file claims.
      size: width and height of the upright images; known once one was read.
      count: images decoded by the last complete reading of `images`; `shortfall` compares it with the claim.
      damage, damaged_sound: what could not be decoded of the images, the one before standing in, and of the audio,
        where silence does; `damage` is that of the last reading.

    Raises:
      InputError: the file cannot be opened, has no images or no audio, or its images are too large to decode.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        start: float = 0.0,
        end: float | None = None,
        audio: str | os.PathLike | None = None,
    ):
        self.path, self.start, self.end = pathlib.Path(path), start, end
        self._audio = pathlib.Path(audio) if audio else None
        self.header = read_header(path, audio)
        self.count = 0
        self.damage, self.damaged_audio = Damage(schema.FRAME_RATE, "images"), Damage(schema.SAMPLE_RATE)
        self.size = (self.header.width, self.header.height)
        self._origin: float | None = None
        self._reached = self._first = 0.0

    def images(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """The image on show at every 1/25 s of the stretch, repeated where one lacks (`frame_grid`).

        As a player shows it: upright, of square pixels, its fields joined, its colours in sRGB (`video_images`).
        By presentation times, never by an average rate: rates vary within files. An image that is repeated is the
        same array again, and two of them are in memory at most. Raises InputError if there is none, or if
        more than a tenth of them are damaged.
        """
        self.count = 0
        grid = frame_grid.FrameGrid(schema.FRAME_RATE, lambda frame: self._shown.image(frame))
        for time, frame in self._frames():
            self.count += 1
            if self._origin is None:
                self._origin = time
            yield from self._sized(grid.add(time, frame))
        if not self.count:
            what = "nothing there: the video ends before this stretch begins" if self.start else "no image in it"
            raise InputError(f"{self.path}: {what}; leave it out or fetch it again")
        yield from self._sized(grid.finish())
        self.damage.check(self.path)

    def _sized(self, images: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for image in images:
            self.size = image.shape[1], image.shape[0]
            yield image

    def shortfall(self) -> str | None:
        """After a complete reading: says so if fewer images came than the header claims; None if all is well."""
        claimed, seconds = self.header.frames, self.header.seconds
        if self.end is not None:
            return None
        if claimed and not self.start:
            if self.count >= MIN_COUNTED * claimed:
                return None
            return f"cut short or damaged: {self.count} of the {claimed} images that its header claims"
        if not seconds or self._reached > MIN_COUNTED * seconds - 1:
            return None
        return f"cut short or damaged: images end at {self._reached:.1f} of the {seconds:.1f} s that its header claims"

    def damages(self) -> list[str]:
        """After a complete reading: a line for the images and one for the audio, where some of them are damaged."""
        told = self.damage.told("the image before is held"), self.damaged_audio.told("silence stands in their place")
        return [f"damaged, and kept: {line}" for line in told if line]

    def audio(self, frames: int) -> Float[np.ndarray, " s"]:
        """The audio of the first `frames` images of the stretch, [frames * 640]; silence where the file has none.

        To be called when `images` has been read: they say when the audio starts.
        """
        if self._origin is None:
            raise RuntimeError("read the images first")
        path = self._audio or self.path
        origin = self._origin - self._first if self._audio else self._origin
        try:
            with _open(path) as container:
                if not container.streams.audio:
                    raise InputError(f"{path}: no audio; speech is needed beside the images")
                end = origin + frames / schema.FRAME_RATE
                samples, start = video.read_audio(container, origin, end, self.damaged_audio)
        except (av.FFmpegError, OSError) as error:
            raise _undecodable(path, error, "audio") from error
        self.damaged_audio.check(path)
        if not len(samples):
            raise InputError(f"{path}: no audio could be decoded; leave it out or fetch it again")
        offset = round((start - origin) * schema.SAMPLE_RATE)
        samples = np.pad(samples, (offset, 0)) if offset >= 0 else samples[-offset:]
        return schema.fit_audio(samples, frames)

    def _frames(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """Decoded frames of the stretch with their times; a damaged tail ends it, what came before counts."""
        self.damage = Damage(schema.FRAME_RATE, "images")
        try:
            with _open(self.path) as container:
                stream = container.streams.video[0]
                first = containers.begins(stream)
                start, end = first + self.start, np.inf if self.end is None else first + self.end
                if self.start and frame_grid.can_seek(container):
                    container.seek(int(start / stream.time_base), stream=stream, backward=True)
                self._shown = Shown(self.path, stream, MAX_SIDE)
                for time, frame in self._shown.whole(frame_grid.timed_frames(container, self.damage)):
                    if time >= end - 1e-6:
                        return
                    if time >= start - 1e-6:
                        check_size(self.path, frame.width, frame.height)
                        self._first, self._reached = first, time - first
                        yield time, frame
        except av.FFmpegError as error:
            if not self.count:
                raise _undecodable(self.path, error) from error
        except OSError as error:
            raise _undecodable(self.path, error) from error


def read_header(path: str | os.PathLike, audio: str | os.PathLike | None = None) -> Header:
    """What the file claims, without decoding an image; it needs no audio of its own if there is a file of `audio`.

    Raises:
      InputError: it cannot be opened, has no images or no audio, or its images are too large.
    """
    path = pathlib.Path(path)
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise InputError(f"{path}: not a file, but a folder, a pipe or a device; leave it out")
        if not size:
            raise InputError(f"{path}: empty (0 bytes); fetch it again")
        with _open(path) as container:
            if not container.streams.video:
                raise InputError(f"{path}: no video stream; give a video of a talking person")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise InputError(f"{path}: of a kind that cannot be decoded; leave it out or convert it")
            check_size(path, stream.codec_context.width, stream.codec_context.height)
            if audio is None and not container.streams.audio:
                raise InputError(f"{path}: no audio; speech is needed beside the images")
            seconds = container.duration / av.time_base if container.duration else None
            # AVI counts chunks, also the empty ones of a recorder that was too slow.
            frames = 0 if container.format.name == "avi" else stream.frames
            return Header(stream.codec_context.width, stream.codec_context.height, frames, seconds)
    except av.InvalidDataError as error:
        raise InputError(f"{path}: not a video, or cut short so that it cannot be opened; fetch it again") from error
    except (av.FFmpegError, OSError) as error:
        raise _undecodable(path, error) from error


def check_size(path: str | os.PathLike, width: int, height: int) -> None:
    """Raises InputError if images are too large to decode safely."""
    if max(width, height) > MAX_SIDE:
        raise InputError(f"{path}: images of {width}x{height}; at most {MAX_SIDE} pixels a side: make it smaller")


def _open(path: pathlib.Path) -> av.container.InputContainer:
    try:
        return containers.open_container(path)
    except ValueError as error:  # of PyAV, where FFmpeg has no word for it
        raise av.InvalidDataError(1094995529, str(error)) from error


def _undecodable(path: pathlib.Path, error: Exception, of: str = "images") -> InputError:
    what = getattr(error, "strerror", None) or error
    return InputError(f"{path}: {of} cannot be read ({what}); leave it out or fetch it again")
