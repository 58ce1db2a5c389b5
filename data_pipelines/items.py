"""How one item of a batch is made: two frames of a clip, successive frames, or a window of motion.

Each function is pure in (clip, random numbers): it draws with the generator it is given and with nothing else.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from data_pipelines import schema
from data_pipelines.domain import Domain
from data_pipelines.records import Clip
from vasa_jax.errors import InputError

Item = dict[str, Any]
Decode = Callable[[memoryview], np.ndarray]
"""JPEG -> uint8 [s, s, 3]."""

PAIR_LABELS = ("landmarks", "pose", "eyes", "gaze", "lids", "mouth", "emotion")
_CANDIDATES = 6


def pair(domain: Domain, index: int, rng: np.random.Generator, decode: Decode = schema.decode_jpeg) -> Item:
    """Source and driver, two frames of a clip, and other, a frame of a clip of another speaker; frames with faces only.

    The driver is the one of `_CANDIDATES` frames that differs most from the source.
    """
    index, clip = domain.read(index)
    source, *candidates = _usable(clip, rng, 1 + _CANDIDATES)
    driver = candidates[int(np.argmax(difference(clip.labels, source, np.asarray(candidates))))]
    _, foreign = domain.read(domain.order.other(index, rng))
    (other,) = _usable(foreign, rng, 1)
    item: Item = {"clip": np.int32(index)}
    for name, where, k in (("source", clip, source), ("driver", clip, driver), ("other", foreign, other)):
        item[name] = picture(where, k, decode)
        for label in PAIR_LABELS:
            item[f"{name}_{label}"] = where.labels[label][k]
    return item


def clip(
    domain: Domain,
    index: int,
    rng: np.random.Generator,
    length: int,
    start: int | None = None,
    decode: Decode = schema.decode_jpeg,
) -> Item:
    """`length` successive frames with sound and labels, from a random start or the given one."""
    index, whole = domain.read(index)
    begin = random_start(len(whole), length, rng) if start is None else min(start, len(whole) - 1)
    end = min(begin + length, len(whole))
    at = np.minimum(np.arange(begin, begin + length), end - 1)
    first = picture(whole, begin, decode)
    frames = np.empty((length, *first.shape), np.uint8)
    frames[0] = first
    for k in range(begin + 1, end):
        frames[k - begin] = picture(whole, k, decode)
    frames[end - begin :] = frames[end - begin - 1]
    item: Item = {"clip": np.int32(index), "frames": frames}
    item |= {name: value[at] for name, value in whole.labels.items()}
    item["valid"][end - begin :] = False
    item["audio"] = _sound(whole.audio, begin, end, length)
    return item


def window(domain: Domain, index: int, rng: np.random.Generator, previous: int, length: int) -> Item:
    """`previous` + `length` frames of motion with sound, from a random start; conditions averaged over the last."""
    source = domain.source
    frames, total = source.frames(index), previous + length
    begin = frames.start + random_start(len(frames), total, rng)
    end = min(begin + total, frames.stop)
    item: Item = {"clip": np.int32(index)}
    for name in ("motion", "mouth"):
        item[name] = _last_repeated(source.arrays[name][begin:end], total)
    item["valid"] = np.zeros(total, np.bool_)
    item["valid"][: end - begin] = source.arrays["valid"][begin:end]
    item["audio"] = _sound(source.arrays["audio"], begin, end, total)
    item["audio"] /= np.float32(32767)
    conditions = _last_repeated(source.conditions[begin:end], total)[previous:]
    weights = item["valid"][previous:, None].astype(np.float32) + np.float32(1e-6)  # all alike where no frame is valid
    mean = (conditions * weights).sum(0) / weights.sum()
    item["gaze"], item["emotion"] = mean[:2], mean[3:]
    item["distance"] = np.float32((mean[2] - source.arrays["distance_mean"]) / source.arrays["distance_std"])
    return item


def difference(labels: Mapping[str, np.ndarray], a: int, b: int | np.ndarray) -> float | np.ndarray:
    """How much frame a differs from b (one or several) in mouth, lids and pose; each is about 1 for a clear change.

    Lids count three times: a blink takes few frames, and a face that has been seen to blink rarely cannot.
    """
    mouth = np.abs(labels["mouth"][a] - labels["mouth"][b]) @ np.asarray([10.0, 1.5])
    lids = np.abs(labels["lids"][a] - labels["lids"][b]).mean(-1)
    pose = np.abs(labels["pose"][a] - labels["pose"][b])
    return mouth + 3 * lids + 3 * pose[..., :5].sum(-1)


def picture(clip: Clip, k: int, decode: Decode = schema.decode_jpeg) -> np.ndarray:
    """Decodes frame k of a clip, uint8 [s, s, 3]."""
    try:
        return decode(clip.jpeg[k])
    except ValueError as error:  # the record is as it was written: nothing a new copy would mend
        raise InputError(f"clip {clip.clip_id}: frame {k} {error}; make the data set again") from error


def random_start(available: int, length: int, rng: np.random.Generator) -> int:
    """A first frame such that `length` frames fit, each alike; 0 if they never do."""
    return int(rng.integers(max(available - length, 0) + 1))


def _usable(clip: Clip, rng: np.random.Generator, count: int) -> list[int]:
    """Numbers of `count` random frames with a face."""
    usable = np.flatnonzero(clip.labels["valid"])
    if not len(usable):
        raise InputError(f"clip {clip.clip_id}: no face in any of its frames; make the data set again without it")
    return usable[rng.integers(len(usable), size=count)].tolist()


def _sound(samples: np.ndarray, begin: int, end: int, length: int) -> np.ndarray:
    """The sound of frames begin..end, float32 [length * 640]: sample 640 * k belongs to frame k; then silence."""
    size = schema.SAMPLES_PER_FRAME
    sound = np.zeros(length * size, np.float32)
    sound[: (end - begin) * size] = samples[begin * size : end * size]
    return sound


def _last_repeated(rows: np.ndarray, length: int) -> np.ndarray:
    """Rows filled up to `length` with the last of them."""
    if len(rows) == length:
        return rows
    return np.concatenate([rows, np.repeat(rows[-1:], length - len(rows), 0)])
