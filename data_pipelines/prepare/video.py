"""Reads a video file into the clip contract: pictures at 25 fps and speech at 16 kHz, mono, with the same start."""

import dataclasses
import os

import av
import numpy as np
import soxr

from data_pipelines import schema
from vasa_jax.errors import InputError

INDEXED = frozenset({"mov", "matroska", "webm"})
"""Containers in which a place in time is found by seeking; the others are decoded from their start."""


@dataclasses.dataclass(frozen=True)
class RawClip:
    """A decoded video.

    Attributes:
      pictures: uint8 [h, w, 3] each, as they come from the file.
      frame_indices: [t] which of them is on show at time k / 25 s, k = 0..t-1, counted from the first picture.
      audio: [t * 640] at 16 kHz, starting with the first picture.
    """

    pictures: list[np.ndarray]
    frame_indices: np.ndarray
    audio: np.ndarray


def read_clip(path: str | os.PathLike) -> RawClip:
    """Decodes a video with sound.

    Raises:
      InputError: the file cannot be opened or decoded, or has no pictures or no sound.
    """
    try:
        with av.open(os.fspath(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path}: no video stream; give a video of a talking person")
            pictures, times = _read_pictures(container)
        with av.open(os.fspath(path)) as container:
            if not container.streams.audio:
                raise InputError(f"{path}: no sound; speech is needed beside the pictures")
            audio, audio_start = read_audio(container)
    except (av.FFmpegError, OSError) as error:
        what = error.strerror or error
        raise InputError(f"{path}: cannot be decoded ({what}); leave it out or fetch it again") from error
    if not pictures or not len(audio):
        raise InputError(
            f"{path}: no {'sound' if pictures else 'pictures'} could be decoded; leave it out or fetch it again"
        )
    indices = resample_indices(times)
    offset = round((audio_start - times[0]) * schema.SAMPLE_RATE)
    audio = np.pad(audio, (offset, 0)) if offset >= 0 else audio[-offset:]
    return RawClip(pictures, indices, schema.fit_audio(audio, len(indices)))


def resample_indices(times: np.ndarray) -> np.ndarray:
    """Which picture to show at every 1/25 s: the one whose time is nearest.

    Args:
      times: [n] presentation times in seconds, ascending. By these, never by an average rate: rates vary within files.

    Returns:
      [t] indices; the last picture lasts as long as the median picture.
    """
    times = np.asarray(times, np.float64) - times[0]
    duration = np.median(np.diff(times)) if len(times) > 1 else 1 / schema.FRAME_RATE
    count = max(1, round((times[-1] + duration) * schema.FRAME_RATE))
    wanted = np.arange(count) / schema.FRAME_RATE
    after = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(times) - 1)
    return np.where(wanted - times[before] <= times[after] - wanted, before, after)


def _read_pictures(container: av.container.InputContainer) -> tuple[list[np.ndarray], np.ndarray]:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    rate = float(stream.average_rate or schema.FRAME_RATE)
    pictures, times = [], []
    for frame in container.decode(stream):
        pictures.append(frame.to_ndarray(format="rgb24"))
        times.append(frame.time if frame.time is not None else (times[-1] + 1 / rate if times else 0.0))
    return pictures, np.asarray(times)


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
