"""How the items of a batch are made: two frames of a clip, successive frames, or a window of motion.

Each function is pure: all that is random in an item comes from the `DRAWS` uniform numbers it is given.

Items are made first, all of a batch, with their images still stored; `collate` then decodes those into place. In
turns, the small steps of an item would find the processor's caches full of images, and take twice as long.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from data_pipelines import order, schema
from data_pipelines.domain import Domain
from data_pipelines.records import Clip
from vasa_jax import conditions
from vasa_jax.errors import InputError

Item = dict[str, Any]
Batch = dict[str, np.ndarray]
Draws = Sequence[float] | Float[np.ndarray, " d"]
Decode = Callable[[memoryview], np.ndarray]
"""JPEG -> uint8 [s, s, 3]."""


@dataclasses.dataclass(frozen=True)
class Images:
    """Frames of a clip that are yet to be decoded: one, [s, s, 3], or several, [t, s, s, 3]."""

    clip: Clip
    frames: int | Sequence[int]


@dataclasses.dataclass(frozen=True)
class Mattes:
    """Mattes of the images that the item has under the name `of`: [s, s, 1] each, all 255 where a clip has none."""

    of: str


@dataclasses.dataclass(frozen=True)
class Audio:
    """Samples of a clip, float32, with silence after them up to `length`."""

    samples: Float[np.ndarray, " n"]
    length: int


PAIR_LABELS = ("landmarks", "pose", "eyes", "gaze", "lids", "mouth", "emotion")
_CANDIDATES = 6
DRAWS = 1 + _CANDIDATES + 3
"""Random numbers an item may use."""


def pair(domain: Domain, index: int, draws: Draws, ordinal: int = 0, mattes: bool = False) -> Item:
    """Source and driver, two frames of a clip, and other, a frame of a clip of another speaker; frames with faces only.

    The driver is the one of `_CANDIDATES` frames that differs most from the source. `ordinal`: place in the order. With
    `mattes`, NAME_matte of each.
    """
    index, clip = domain.read(index)
    source, *candidates = (_with_face(clip, number) for number in draws[: 1 + _CANDIDATES])
    driver = candidates[int(np.argmax(difference(clip.traits, source, candidates)))]
    first, second, third = draws[1 + _CANDIDATES :]
    _, foreign = domain.read(domain.order.other(index, first, second, ordinal))
    other = _with_face(foreign, third)
    item: Item = {"clip": np.int32(index)}
    for name, where, k in (("source", clip, source), ("driver", clip, driver), ("other", foreign, other)):
        item[name] = Images(where, k)
        if mattes:
            item[f"{name}_matte"] = Mattes(name)
        for label in PAIR_LABELS:
            item[f"{name}_{label}"] = where.labels[label][k]
    return item


def clip(domain: Domain, index: int, draws: Draws, length: int, start: int | None = None, mattes: bool = False) -> Item:
    """`length` successive frames with audio and labels, from a random start or the given one; with `mattes`, matte."""
    index, whole = domain.read(index)
    begin = random_start(len(whole), length, draws[0]) if start is None else min(start, len(whole) - 1)
    end = min(begin + length, len(whole))
    at = np.minimum(np.arange(begin, begin + length), end - 1)
    item: Item = {"clip": np.int32(index), "frames": Images(whole, at.tolist())}
    if mattes:
        item["matte"] = Mattes("frames")
    item |= {name: value[at] for name, value in whole.labels.items()}
    item["valid"][end - begin :] = False
    item["audio"] = _audio(whole.audio, begin, end, length)
    return item


def window(domain: Domain, index: int, draws: Draws, previous: int, length: int, tracks: bool = False) -> Item:
    """`previous` + `length` frames of motion with audio, from a random start; conditions averaged over the last.

    With `tracks`, the conditions of every frame too, side by side (`conditions.split`).
    """
    source = domain.source
    frames, total = source.frames(index), previous + length
    begin = frames.start + random_start(len(frames), total, draws[0])
    end = min(begin + total, frames.stop)
    item: Item = {"clip": np.int32(index)}
    for name in ("motion", "mouth"):
        item[name] = _last_repeated(source.arrays[name][begin:end], total)
    item["valid"] = np.zeros(total, np.bool_)
    item["valid"][: end - begin] = source.arrays["valid"][begin:end]
    item["audio"] = _audio(source.arrays["audio"], begin, end, total, np.float32(32767))
    every = _last_repeated(source.conditions[begin:end], total)
    weights = item["valid"][previous:, None].astype(np.float32) + np.float32(1e-6)  # all alike where no frame is valid
    mean = (every[previous:] * weights).sum(0) / weights.sum()
    told = {}
    for one, at in zip(conditions.told(source.told), conditions.split(source.told).values(), strict=True):
        values = mean[at], every[:, at]
        if one.standardised:
            values = [(x - source.arrays[f"{one.name}_mean"]) / source.arrays[f"{one.name}_std"] for x in values]
        item[one.name], told[one.name] = values[0].astype(np.float32).reshape(one.shape), values[1]
    if tracks:
        item["tracks"] = np.concatenate(list(told.values()), 1).astype(np.float32)
    return item


def difference(traits: Float[np.ndarray, "t n"], a: int, b: Sequence[int]) -> Float[np.ndarray, " b"]:
    """How much frame a differs from frames b, by `wire.Clip.traits`."""
    return np.abs(traits[b] - traits[a]).sum(-1)


def collate(items: Sequence[Item], decode: Decode = schema.decode_jpeg) -> Batch:
    """The batch of items: their values stacked, their images and mattes decoded, their audio filled up."""
    batch: Batch = {}
    for name, first in items[0].items():
        if isinstance(first, Images):
            batch[name] = _decoded([item[name] for item in items], decode)
        elif isinstance(first, Mattes):  # the images that it is of stand before it
            batch[name] = _mattes([item[first.of] for item in items], batch[first.of].shape[:-1])
        elif isinstance(first, Audio):
            batch[name] = np.zeros((len(items), first.length), np.float32)
            for row, item in zip(batch[name], items, strict=True):
                row[: len(item[name].samples)] = item[name].samples
        else:
            batch[name] = np.array([item[name] for item in items])  # alike arrays: three times as fast as np.stack
    return batch


def _mattes(images: Sequence[Images], shape: tuple[int, ...]) -> UInt8[np.ndarray, "b *t s s 1"]:
    """The mattes of a batch of images of shape [b, s, s] or [b, t, s, s]."""
    batch = np.full((*shape, 1), 255, np.uint8)
    for row, wanted in zip(batch, images, strict=True):
        if not wanted.clip.mattes:
            continue
        for place, k in zip(row[None] if isinstance(wanted.frames, int) else row, numbers_of(wanted), strict=True):
            try:
                place[..., 0] = schema.decode_matte(wanted.clip.mattes[k])
            except ValueError as error:  # or a matte of another size than its image
                raise InputError(f"clip {wanted.clip.clip_id}: matte {k} {error}; make the data set again") from error
    return batch


def numbers_of(images: Images) -> Sequence[int]:
    """The frames of the clip that are wanted, also where it is one."""
    return [images.frames] if isinstance(images.frames, int) else images.frames


def matte_bytes(images: Images) -> list[bytes]:
    """The PNGs of the images' mattes; b"" where the clip has none."""
    mattes = images.clip.mattes
    return [bytes(mattes[k]) if mattes else b"" for k in numbers_of(images)]


def _decoded(images: Sequence[Images], decode: Decode) -> UInt8[np.ndarray, "b *t s s 3"]:
    batch = None
    for row, wanted in enumerate(images):
        frames = numbers_of(wanted)
        for place, k in enumerate(frames):
            if place and k == frames[place - 1]:  # a short clip, filled up
                batch[row, place] = batch[row, place - 1]
                continue
            image = _image(wanted.clip, k, decode)
            if batch is None:
                batch = np.empty((len(images), len(frames), *image.shape), np.uint8)
            if image.shape != batch.shape[2:]:
                raise InputError(
                    f"clip {wanted.clip.clip_id}: images of {image.shape[0]} px beside {batch.shape[2]} px; "
                    "choose data sets of one size with data.config"
                )
            batch[row, place] = image
    return batch[:, 0] if isinstance(images[0].frames, int) else batch


def _image(clip: Clip, k: int, decode: Decode) -> UInt8[np.ndarray, "s s 3"]:
    try:
        return decode(clip.jpeg[k])
    except ValueError as error:  # the record is as it was written: nothing a new copy would mend
        raise InputError(f"clip {clip.clip_id}: frame {k} {error}; make the data set again") from error


def random_start(available: int, length: int, number: float) -> int:
    """A first frame such that `length` frames fit, each alike; 0 if they never do."""
    return order.pick(number, max(available - length, 0) + 1)


def _with_face(clip: Clip, number: float) -> int:
    """Number of a frame with a face."""
    usable = clip.usable
    if not len(usable):
        raise InputError(f"clip {clip.clip_id}: no face in any of its frames; make the data set again without it")
    return int(usable[order.pick(number, len(usable))])


def _audio(samples: np.ndarray, begin: int, end: int, length: int, full: np.float32 | None = None) -> Audio:
    """The audio of frames begin..end, [length * 640]: sample 640 * k belongs to frame k. `full` is what 1.0 is stored
    as."""
    size = schema.SAMPLES_PER_FRAME
    piece = samples[begin * size : end * size].astype(np.float32, copy=False)
    return Audio(piece if full is None else piece / full, length * size)


def _last_repeated(rows: np.ndarray, length: int) -> np.ndarray:
    """Rows filled up to `length` with the last of them."""
    if len(rows) == length:
        return rows
    return np.concatenate([rows, np.repeat(rows[-1:], length - len(rows), 0)])
