"""The audio of a video file: speech at 16 kHz, mono, on the clock of the images (`ingest` reads those)."""

import av
import numpy as np
import soxr

from data_pipelines import schema
from vasa_jax import audio_decoding, containers, frame_grid
from vasa_jax.containers import Damage

_MAY_LACK = 0.5  # seconds of audio at a damaged end
_LONGEST_GAP = 60.0  # seconds; what a damaged time stamp says beyond is not believed


def read_audio(
    container: av.container.InputContainer,
    start: float | None = None,
    end: float | None = None,
    damage: Damage | None = None,
) -> tuple[np.ndarray, float]:
    """Samples [n] at 16 kHz and the time of the first one in seconds, on the clock of the images.

    Args:
      container: with audio.
      start, end: times in seconds; a little more than that is read. None is all there is.
      damage: is told what could not be decoded: silence of its length stands there.

    Raises:
      av.FFmpegError: nothing of it can be decoded.
    """
    stream = container.streams.audio[0]
    rate = stream.rate
    damage = Damage(schema.SAMPLE_RATE) if damage is None else damage
    audio_decoding.prepare(stream)
    if start and frame_grid.can_seek(container):
        container.seek(int(max(start - 1, 0) / stream.time_base), stream=stream, backward=True)
    parts, first, reached, failed = [], None, -np.inf, None
    for packet in containers.packets(container, stream):
        try:
            decoded = packet.decode()
        except av.FFmpegError as error:
            failed, decoded = error, ()
        for frame in decoded:
            if frame.time is not None and start is not None and frame.time + frame.samples / rate < start:
                continue
            time = frame.time if frame.time is not None else max(reached, 0.0)
            if first is None:
                first = time
            # Behind a packet that failed, what is missing is silence; else time stamps are rounded, and audio goes on.
            missing = min(time, np.inf if end is None else end) - reached
            if failed is not None and 0.002 < missing < _LONGEST_GAP:
                parts.append(np.zeros(round(missing * rate), np.float32))
                damage.add((reached - first) * schema.SAMPLE_RATE, missing * schema.SAMPLE_RATE)
            failed = None
            if end is not None and time > end:
                break
            # The mean of the channels: a downmix by FFmpeg to mono floats would be louder by 3 dB.
            parts.append(audio_decoding.floats(frame).mean(1))
            reached = time + frame.samples / rate
        if end is not None and reached > end:
            break
    if not parts:
        if failed is not None:
            raise failed
        return np.zeros(0, np.float32), 0.0
    if failed is not None and end is not None and end - reached > _MAY_LACK:
        damage.add((reached - first) * schema.SAMPLE_RATE, (end - reached) * schema.SAMPLE_RATE)
    audio = soxr.resample(np.concatenate(parts).astype(np.float32), rate, schema.SAMPLE_RATE)
    damage.total = len(audio) if end is None else max(len(audio), (end - first) * schema.SAMPLE_RATE)
    return np.clip(np.nan_to_num(audio), -1, 1), first
