"""Finds the same recording twice, in another size or compression, whatever its file is called.

Two clips are one recording when both their audio and their images agree: people who sit still in one studio look
alike in every sentence, and a jingle sounds alike under every image. The clips must have been cut at the same place;
a copy that starts elsewhere in the recording is not found.
"""

import collections
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np

from data_pipelines import schema

_BANDS, _TIMES = 17, 16
AUDIO_BYTES, IMAGE_BYTES = (_BANDS - 1) * _TIMES // 8, 24
MAX_AUDIO_BITS, MAX_IMAGE_BITS = 52, 30
"""Bits of 256 and 192 that may differ. Among 129 GRID sentences the least is 80 of audio, the median 13 of images."""
_LENGTH_SLACK = 2  # frames
_SHORTEST = 25  # frames; what is shorter holds too little to tell


def signature(example: dict[str, Any]) -> bytes:
    """What a clip sounds and looks like in 56 bytes: 256 bits of audio, 192 of images."""
    frames = example["frames"]
    at = [len(frames) // 6, len(frames) // 2, 5 * len(frames) // 6]
    images = b"".join(_image_bits(schema.decode_jpeg(frames[k])) for k in at)
    return _audio_bits(example["audio"]) + images


def _audio_bits(audio: np.ndarray) -> bytes:
    """Whether each band holds more than the next, against the same at the time before (after Haitsma & Kalker 2002)."""
    window = 512
    count = len(audio) // window
    if count < 2:
        return bytes(AUDIO_BYTES)
    power = np.abs(np.fft.rfft(audio[: count * window].reshape(count, window) * np.hanning(window))) ** 2
    edges = np.unique(np.geomspace(4, power.shape[1], _BANDS + 1).astype(int))
    bands = np.stack([power[:, a:b].sum(1) for a, b in zip(edges[:-1], edges[1:])], 1)[:, :_BANDS]
    parts = np.linspace(0, count, _TIMES + 2).astype(int)
    level = np.stack([np.log(bands[a : max(b, a + 1)].mean(0) + 1e-9) for a, b in zip(parts[:-1], parts[1:])])
    steps = np.diff(level, axis=1)
    return np.packbits(np.diff(steps, axis=0) > 0).tobytes()


def _image_bits(image: np.ndarray) -> bytes:
    """64 bits: whether each of 9 x 8 places is darker than its neighbour on the right."""
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (9, 8), interpolation=cv2.INTER_AREA)
    return np.packbits(np.diff(grey.astype(np.int16), axis=1) > 0).tobytes()


def distances(a: bytes, b: bytes) -> tuple[int, int]:
    """Bits in which two signatures differ: (of the audio, of the images)."""
    differ = np.frombuffer(a, np.uint8) ^ np.frombuffer(b, np.uint8)
    bits = np.unpackbits(differ)
    return int(bits[: 8 * AUDIO_BYTES].sum()), int(bits[8 * AUDIO_BYTES :].sum())


def find(clips: Iterable[tuple[str, int, bytes]]) -> dict[str, str]:
    """Clip id -> the earlier clip of which it is a duplicate.

    Only clips that share two bytes of audio at the same place are compared, which keeps this linear: of copies whose
    audio differs in 5% of the bits one in ten thousand is missed, at 10% one in 26.

    Args:
      clips: (id, frames, signature) in order; the first of several copies is the one that stays.
    """
    seen: dict[tuple[int, bytes], list[tuple[str, int, bytes]]] = collections.defaultdict(list)
    copies: dict[str, str] = {}
    for clip_id, frames, sign in clips:
        if frames < _SHORTEST:
            continue
        keys = [(k, sign[k : k + 2]) for k in range(0, AUDIO_BYTES, 2)]
        for other, length, other_sign in (entry for key in keys for entry in seen[key]):
            audio, image = distances(sign, other_sign)
            if abs(frames - length) <= _LENGTH_SLACK and audio <= MAX_AUDIO_BITS and image <= MAX_IMAGE_BITS:
                copies[clip_id] = other
                break
        else:
            for key in keys:
                seen[key].append((clip_id, frames, sign))
    return copies
