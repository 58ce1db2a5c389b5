"""A video of any frame rate, brought to a constant one: the one rule by which driving videos and data are read.

    grid = FrameGrid(25, show)
    for time, frame in timed_frames(container, damage):
        yield from grid.add(time, frame)
    yield from grid.finish()

The image of each slot is the nearest in time, but none is shown more than half a slot before its moment. Of 30 frames
a second the nearest are taken. One that a player holds for a second is held, and its successor comes on time.
"""

import statistics
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import av
import numpy as np

from vasa_jax import containers
from vasa_jax.containers import Damage

INDEXED = frozenset({"mov", "matroska", "webm"})
"""Containers in which a place in time is found by seeking; the others are decoded from their start."""
Frame = TypeVar("Frame")
_Frames = Iterator[tuple[av.VideoFrame, float | None]]  # with the time in seconds, where there is one
_UNKNOWN_RATE = 25.0
_CLOCK = 1e-6  # seconds by which time stamps are rounded


def can_seek(container: av.container.InputContainer) -> bool:
    """Whether a place in time can be found without decoding what lies before it."""
    return bool(INDEXED.intersection(container.format.name.split(",")))


def timed_frames(container: av.container.InputContainer, damage: Damage) -> Iterator[tuple[float, av.VideoFrame]]:
    """The decoded frames from where the container stands, in the order of showing, with their times in seconds.

    By presentation times; a frame without one follows the last at the stream's average rate. What cannot be decoded is
    left out, and counted in `damage`.
    """
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    step = 1 / float(stream.average_rate or _UNKNOWN_RATE)
    last = containers.begins(stream) - step
    read = _ticking if container.format.name == "avi" else _timed
    for frame, time in read(container, stream, damage):
        last = last + step if time is None else time
        yield last, frame


def _timed(container: av.container.InputContainer, stream: av.VideoStream, damage: Damage) -> _Frames:
    for frame in containers.images(container, stream, damage):
        yield frame, frame.time


def _ticking(container: av.container.InputContainer, stream: av.VideoStream, damage: Damage) -> _Frames:
    """AVI has no presentation times, only a chunk, perhaps an empty one, for every tick of a steady clock.

    What FFmpeg makes up for them belongs to other frames wherever there are B-frames. But frames leave the decoder in
    the order of showing, each with the tick of the chunk that pushed it out: its own, later by the decoder's delay,
    which is the same for all. The last ones are pushed out by no chunk, and have none.
    """
    begin = delay = None
    for packet in containers.packets(container, stream):
        begin = packet.dts if begin is None else begin
        for frame in containers.shown(packet, damage):
            if frame.dts is None:
                yield frame, None
                continue
            delay = frame.dts - (begin or 0) if delay is None else delay
            yield frame, float((frame.dts - delay) * stream.time_base)


class FrameGrid(Generic[Frame]):
    """Hands out the image of every slot of a constant frame rate, from frames that go by. Two are in memory at most.

    Args:
      rate: slots a second.
      show: makes an image of a frame; called once, and only of frames that are on show.
      origin: seconds at which slot 0 lies. None: where the first frame lies.
      first: the first slot that is handed out; frames may begin before it.
    """

    def __init__(self, rate: float, show: Callable[[Frame], np.ndarray], origin: float | None = None, first: int = 0):
        self._rate, self._show, self._origin, self._next = rate, show, origin, first
        self._steps: list[float] = []
        self._shown: np.ndarray | None = None
        self._waiting: Frame | None = None
        self._at = 0.0

    def add(self, time: float, frame: Frame) -> Iterator[np.ndarray]:
        """The images of the slots that are certain once the frame of this time, in seconds, is known."""
        if self._shown is None and self._waiting is None:
            self._origin = time if self._origin is None else self._origin
            self._waiting, self._at = frame, time - self._origin
            return
        time -= self._origin or 0.0
        if time <= self._at:  # times that stand still or run back, in broken files
            return
        self._steps.append(time - self._at)
        early = 0.5 / self._rate + _CLOCK
        yield from self._give(lambda slot: slot - self._at <= time - slot or time - slot > early)
        self._waiting, self._shown, self._at = frame, None, time

    def finish(self) -> Iterator[np.ndarray]:
        """The images of the slots that are left: the last frame lasts as long as the median one."""
        if self._waiting is None and self._shown is None:
            return
        step = statistics.median(self._steps) if self._steps else 1 / self._rate
        count = max(1, round((self._at + step) * self._rate))
        yield from self._give(lambda slot: round(slot * self._rate) < count)

    def _give(self, belongs: Callable[[float], bool]) -> Iterator[np.ndarray]:
        while belongs(self._next / self._rate):
            if self._shown is None:
                assert self._waiting is not None
                self._shown = self._show(self._waiting)
            self._next += 1
            yield self._shown
