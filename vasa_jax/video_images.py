"""Decoded frames of a video as a player shows them: whole, upright, of square pixels, in sRGB.

Matrix and range (BT.601, BT.709, BT.2020; limited or full) are followed as the file says; where it does not say, large
images are BT.709 and small ones BT.601, as players take them. HDR and wide gamuts go through `colour`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import av
import av.filter
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.video.reformatter import Interpolation, VideoReformatter
from jaxtyping import UInt8

from vasa_jax import colour
from vasa_jax.errors import InputError
from vasa_jax.images import over_neutral

_LEAST_ASPECT, _MOST_ASPECT = 1 / 4, 4  # of a pixel: what lies beyond is a mistake in the file
_KNOWN_MATRICES = {0, 1, 2, 4, 5, 6, 7, 9}
_BT709 = 1
_DOLBY_ALONE = {"dvh1", "dvhe", "dav1", "dva1", "dvav"}  # Dolby Vision without an image for other players
Tag = TypeVar("Tag")


class Shown:
    """What is shown of the frames of one stream.

    Args:
      path: the file, for errors.
      stream: its video stream, opened.
      most: pixels a side that an image may have once its pixels are square.

    Attributes:
      notes: lines about what was guessed or could not be kept, in the order in which it was seen.

    Raises:
      InputError: the stream is of a kind whose colours cannot be known.
    """

    def __init__(self, path: Path | str, stream: av.VideoStream, most: int = 4096):
        self.path, self.most = path, most
        self.notes: list[str] = []
        self._reformatter = VideoReformatter()  # one for all: each has threads of its own, until garbage is collected
        self._aspect = _aspect(stream)
        if self._aspect == 1 and stream.sample_aspect_ratio not in (None, 0, 1):
            self._say(f"pixels of {stream.sample_aspect_ratio} are a mistake and taken as square")
        tag = stream.codec_context.codec_tag
        if tag in _DOLBY_ALONE:
            raise InputError(f"{path}: Dolby Vision without an image for other players: convert it to H.264 (SDR)")

    def whole(self, frames: Iterable[tuple[Tag, av.VideoFrame]]) -> Iterator[tuple[Tag, av.VideoFrame]]:
        """The frames with what they are paired with; from the first interlaced one on, without their combs."""
        graph, waiting = None, []
        for tag, frame in frames:
            if graph is None and not frame.interlaced_frame:
                yield tag, frame
                continue
            if graph is None:
                self._say("interlaced: its fields are made into whole images")
            if graph is None or graph.kind != _kind(frame):
                if graph is not None:
                    yield from self._pulled(graph, waiting, last=True)
                graph = self._guarded(_Deinterlacer, frame)
            waiting.append(tag)
            self._guarded(graph.push, frame)
            yield from self._pulled(graph, waiting)
        if graph is not None:
            yield from self._pulled(graph, waiting, last=True)

    def _pulled(self, graph: "_Deinterlacer", waiting: list[Tag], last: bool = False):
        for frame in self._guarded(graph.pull, last):
            if waiting:
                yield waiting.pop(0), frame

    def _guarded(self, function, *args):
        try:
            return function(*args)
        except (av.error.FFmpegError, ValueError, NotImplementedError):
            raise InputError(
                f"{self.path} is interlaced, and its fields cannot be made into images: convert it to progressive"
            ) from None

    def image(self, frame: av.VideoFrame) -> UInt8[np.ndarray, "h w 3"]:
        """One frame as upright RGB. InputError: its colours are not known, or those of a damaged one make no sense."""
        try:
            return self._converted(frame)
        except av.FFmpegError:
            raise InputError(f"{self.path}: an image cannot be converted to RGB; convert the video to H.264") from None

    def _converted(self, frame: av.VideoFrame) -> UInt8[np.ndarray, "h w 3"]:
        trc, matrix = int(frame.color_trc or 0), int(frame.colorspace)
        if matrix not in _KNOWN_MATRICES:
            raise InputError(f"{self.path}: its colours (matrix {matrix} of H.273) are not known: convert it to H.264")
        options = self._size(frame)
        if matrix == 2 and (frame.width >= 1280 or frame.height > 576):
            options["src_colorspace"] = _BT709
        space = self._space(int(frame.color_primaries or 0), trc)
        if space is not None:
            image = colour.to_srgb(self._array(frame, "rgb48le", options), space)
        elif any(part.is_alpha for part in frame.format.components):
            samples = self._array(frame, "rgba", options)
            image = over_neutral(samples[..., :3], samples[..., 3])
        else:
            image = self._array(frame, "rgb24", options)
        return _turned(image, frame)

    def _array(self, frame: av.VideoFrame, layout: str, options: dict) -> np.ndarray:
        return self._reformatter.reformat(frame, format=layout, **options).to_ndarray()

    def _size(self, frame: av.VideoFrame) -> dict:
        """Options that make pixels square: the short side is stretched, so that nothing is lost."""
        wide, high = _square(frame.width, frame.height, self._aspect)
        if (wide, high) == (frame.width, frame.height):
            return {}
        fit = min(1.0, self.most / max(wide, high))
        size = {"width": max(1, round(wide * fit)), "height": max(1, round(high * fit))}
        return size | {"interpolation": Interpolation.BICUBIC}

    def _space(self, primaries: int, transfer: int) -> colour.Space | None:
        """Where colours need more than the matrix: HDR, and primaries much wider than sRGB's."""
        if transfer not in (colour.PQ, colour.HLG) and primaries not in (colour.REC2020, colour.P3, 11):
            if transfer in (9, 10, 17):
                raise InputError(f"{self.path}: transfer characteristics {transfer} are not known: convert it to H.264")
            return None
        try:
            space = colour.Space.of(primaries, transfer)
        except ValueError as unknown:
            raise InputError(f"{self.path}: {unknown} are not known: convert it to H.264") from None
        if space.hdr:
            self._say(f"HDR ({space.curve_name}): what is brighter than white is rolled off")
        return space

    def _say(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)


def square_size(stream: av.VideoStream) -> tuple[int, int]:
    """Width and height of a stream's images once their pixels are square, before they are turned."""
    return _square(stream.codec_context.width, stream.codec_context.height, _aspect(stream))


def _aspect(stream: av.VideoStream) -> float:
    aspect = float(stream.sample_aspect_ratio or 1)
    return aspect if _LEAST_ASPECT <= aspect <= _MOST_ASPECT else 1.0


def _square(width: int, height: int, aspect: float) -> tuple[int, int]:
    return max(width, round(width * aspect)), max(height, round(height / aspect))


class _Deinterlacer:
    """FFmpeg's bwdif: a frame out for each frame in, one later; frames that are not interlaced pass as they are.

    The filter tells what moves by the frame before. The first one has none, so the second is shown to it in its place.
    """

    def __init__(self, frame: av.VideoFrame):
        self.kind, self._count, self._made_up = _kind(frame), 0, 0
        self._first: av.VideoFrame | None = None
        self._graph = av.filter.Graph()
        source = self._graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or None
        )
        middle = self._graph.add("bwdif", "mode=send_frame:deint=interlaced")
        sink = self._graph.add("buffersink")
        source.link_to(middle)
        middle.link_to(sink)
        self._graph.configure()

    def push(self, frame: av.VideoFrame) -> None:
        """Takes a frame; its time stamp is changed, since broken ones end the filter."""
        if self._count:
            self._push(frame)
        elif self._first is None:
            self._first = frame
        else:
            self._made_up = 1
            for shown in (frame, self._first, frame):
                self._push(shown)

    def pull(self, last: bool) -> list[av.VideoFrame]:
        """What is ready; with `last`, all that is left."""
        if last:
            if not self._count:
                assert self._first is not None  # it was made for a frame
                self._push(self._first)
            self._graph.push(None)
        done = []
        while True:
            try:
                done.append(self._graph.vpull())
            except (av.error.BlockingIOError, av.error.EOFError):
                break
        if self._made_up and done:
            self._made_up = 0
            done.pop(0)
        return done

    def _push(self, frame: av.VideoFrame) -> None:
        frame.pts = self._count
        self._count += 1
        self._graph.push(frame)


def _kind(frame: av.VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


def _turned(image: np.ndarray, frame: av.VideoFrame) -> UInt8[np.ndarray, "h w 3"]:
    """Turned and mirrored as the file's display matrix says: telephones film lying on their side.

    The matrix takes column p and row q to x = a p + c q, y = b p + d q; it is read as the nearest quarter turn.
    """
    data = frame.side_data.get(SideData.DISPLAYMATRIX)  # type: ignore[call-overload] # PyAV's stub names another class
    if data is None:
        return image
    a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32).astype(np.float64)
    if abs(a) + abs(d) < abs(b) + abs(c):
        image, a, d = image.swapaxes(0, 1), c, b
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
