"""The sound of a video file: speech at 16 kHz, mono, on the clock of the pictures (`ingest` reads those)."""

import av
import numpy as np
import soxr

from data_pipelines import schema

INDEXED = frozenset({"mov", "matroska", "webm"})
"""Containers in which a place in time is found by seeking; the others are decoded from their start."""


def read_audio(
    container: av.container.InputContainer, start: float | None = None, end: float | None = None
) -> tuple[np.ndarray, float]:
    """Samples [n] at 16 kHz and the time of the first one in seconds, on the clock of the pictures.

    Args:
      container: with sound.
      start, end: times in seconds; a little more than that is read. None is all there is.
    """
    stream = container.streams.audio[0]
    rate = stream.rate
    resampler = av.AudioResampler(format="fltp", rate=rate)
    if start and INDEXED.intersection(container.format.name.split(",")):
        container.seek(int(max(start - 1, 0) / stream.time_base), stream=stream, backward=True)
    parts, first = [], None
    for frame in container.decode(stream):
        if frame.time is not None and start is not None and frame.time + frame.samples / rate < start:
            continue
        if frame.time is not None and end is not None and frame.time > end:
            break
        if first is None:
            first = frame.time or 0.0
        # The mean of the channels: a downmix by FFmpeg to mono floats would be louder by 3 dB.
        parts += [part.to_ndarray().mean(0) for part in resampler.resample(frame)]
    parts += [part.to_ndarray().mean(0) for part in resampler.resample(None)]
    if not parts:
        return np.zeros(0, np.float32), 0.0
    audio = soxr.resample(np.concatenate(parts).astype(np.float32), rate, schema.SAMPLE_RATE)
    return np.clip(np.nan_to_num(audio), -1, 1), first
