"""The sound of a video file: speech at 16 kHz, mono, on the clock of the pictures (`ingest` reads those)."""

from collections.abc import Iterator

import av
import numpy as np
import soxr

from data_pipelines import schema

_Frames = Iterator[tuple[av.VideoFrame, float | None]]  # with the time in seconds, where there is one

INDEXED = frozenset({"mov", "matroska", "webm"})
"""Containers in which a place in time is found by seeking; the others are decoded from their start."""
_MAY_LACK = 0.5  # seconds of sound at a damaged end


def timed_frames(container: av.container.InputContainer) -> Iterator[tuple[float, av.VideoFrame]]:
    """The decoded frames from where the container stands, in the order of showing, with their times in seconds.

    By presentation times; a frame without one follows the last at the stream's average rate.
    """
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    step = 1 / float(stream.average_rate or schema.FRAME_RATE)
    last = float((stream.start_time or 0) * stream.time_base) - step
    for frame, time in _ticking(container, stream) if container.format.name == "avi" else _timed(container, stream):
        last = last + step if time is None else time
        yield last, frame


def _timed(container: av.container.InputContainer, stream: av.VideoStream) -> _Frames:
    for frame in container.decode(stream):
        yield frame, frame.time


def _ticking(container: av.container.InputContainer, stream: av.VideoStream) -> _Frames:
    """AVI has no presentation times, only a chunk, perhaps an empty one, for every tick of a steady clock.

    What FFmpeg makes up for them belongs to other pictures wherever there are B-frames. But frames leave the decoder in
    the order of showing, each with the tick of the chunk that pushed it out: its own, later by the decoder's delay,
    which is the same for all. The last ones are pushed out by no chunk, and have none.
    """
    begin = delay = None
    for packet in container.demux(stream):
        begin = packet.dts if begin is None else begin
        for frame in packet.decode():
            if frame.dts is None:
                yield frame, None
                continue
            delay = frame.dts - (begin or 0) if delay is None else delay
            yield frame, float((frame.dts - delay) * stream.time_base)


def read_audio(
    container: av.container.InputContainer, start: float | None = None, end: float | None = None
) -> tuple[np.ndarray, float]:
    """Samples [n] at 16 kHz and the time of the first one in seconds, on the clock of the pictures.

    Args:
      container: with sound.
      start, end: times in seconds; a little more than that is read. None is all there is.

    Raises:
      av.FFmpegError: it cannot be decoded, unless all but the last half second before `end` was: files that break off
        do so within a packet.
    """
    stream = container.streams.audio[0]
    rate = stream.rate
    resampler = av.AudioResampler(format="fltp", rate=rate)
    if start and INDEXED.intersection(container.format.name.split(",")):
        container.seek(int(max(start - 1, 0) / stream.time_base), stream=stream, backward=True)
    parts, first, reached = [], None, -np.inf
    try:
        for frame in container.decode(stream):
            if frame.time is not None and start is not None and frame.time + frame.samples / rate < start:
                continue
            if frame.time is not None and end is not None and frame.time > end:
                break
            if first is None:
                first = frame.time or 0.0
            # The mean of the channels: a downmix by FFmpeg to mono floats would be louder by 3 dB.
            parts += [part.to_ndarray().mean(0) for part in resampler.resample(frame)]
            reached = (frame.time or 0.0) + frame.samples / rate
    except av.FFmpegError:
        if end is None or reached < end - _MAY_LACK:
            raise
    parts += [part.to_ndarray().mean(0) for part in resampler.resample(None)]
    if not parts:
        return np.zeros(0, np.float32), 0.0
    audio = soxr.resample(np.concatenate(parts).astype(np.float32), rate, schema.SAMPLE_RATE)
    return np.clip(np.nan_to_num(audio), -1, 1), first
