"""Reads clips off the wire format of `tf.train.Example`, without TensorFlow.

Only what a batch needs is touched: images stay the bytes they are stored as until one is asked for, and arrays of
floats are views of the record (protobuf encoding: https://protobuf.dev/programming-guides/encoding).
"""

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int64, UInt8

from data_pipelines import schema


@dataclasses.dataclass(frozen=True)
class Clip:
    """One example, read lazily: `labels` are arrays [t, ...], `jpeg[k]` the k-th image, `audio` [t * 640].

    `mattes[k]` is the k-th matte as PNG; there are none where nobody made any, as in all data sets before they existed.
    """

    clip_id: str
    speaker: str
    jpeg: list[memoryview]
    audio: np.ndarray
    labels: dict[str, np.ndarray]
    mattes: list[memoryview] = dataclasses.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.jpeg)

    def image(self, k: int) -> UInt8[np.ndarray, "s s 3"]:
        """Decodes one image."""
        return schema.decode_jpeg(self.jpeg[k])

    @functools.cached_property
    def usable(self) -> Int64[np.ndarray, " n"]:
        """Numbers of the frames with a face."""
        return np.flatnonzero(self.labels["valid"])

    @functools.cached_property
    def traits(self) -> Float[np.ndarray, "t 9"]:
        """What frames differ in: mouth, lids and pose, each scaled to change by about 1 in a clear change.

        Lids count three times: a blink takes few frames, and a face that has been seen to blink rarely cannot.
        """
        parts = [self.labels["mouth"] * (10.0, 1.5), self.labels["lids"] * 1.5, self.labels["pose"][:, :5] * 3.0]
        return np.concatenate(parts, 1).astype(np.float32)


def parse_example(data: bytes) -> Clip:
    """Reads a serialised `tf.train.Example` of `data_pipelines.schema`.

    Raises:
      ValueError: it is none, or its fields are not those of the schema.
    """
    values = {}
    try:
        for _, features in _fields(memoryview(data)):
            for _, entry in _fields(features):
                parts = dict(_fields(entry))
                values[bytes(parts[1]).decode()] = _feature(parts.get(2, memoryview(b"")))
        t = len(values["frames"])
        labels = {
            name: np.asarray(values[name]).astype(dtype, copy=False).reshape(t, *shape)
            for name, (shape, dtype) in schema.PER_FRAME.items()
        }
        text = {name: bytes(values[name][0]).decode() for name in ("clip_id", "speaker")}
        audio = np.asarray(values["audio"], np.float32)
    except (KeyError, IndexError) as error:
        raise ValueError(f"field {error} is missing or cut short") from error
    if len(audio) != t * schema.SAMPLES_PER_FRAME:
        raise ValueError(f"clip {text['clip_id']}: {len(audio)} samples for {t} frames")
    mattes = list(values.get("mattes", ()))
    if len(mattes) not in (0, t):
        raise ValueError(f"clip {text['clip_id']}: {len(mattes)} mattes for {t} frames")
    return Clip(**text, jpeg=values["frames"], audio=audio, labels=labels, mattes=mattes)


def integers(packed: bytes | memoryview) -> Int64[np.ndarray, " n"]:
    """Packed varints: seven bits a byte, lowest first, the eighth bit set in all bytes of a number but its last."""
    data = np.frombuffer(packed, np.uint8)
    last = data < 0x80
    if not len(data) or not last[-1]:
        return np.zeros(0, np.int64)
    starts = np.concatenate([[0], np.flatnonzero(last)[:-1] + 1])
    place = np.arange(len(data)) - np.repeat(starts, np.diff([*starts, len(data)]))
    # A negative number takes ten bytes; what its last byte holds beyond bit 63 falls off.
    bits = (data & 0x7F).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.bitwise_or.reduceat(bits, starts).astype(np.int64)


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of the length-delimited fields of a message; an Example has no others."""
    at, end = 0, len(data)
    while at < end:
        key = data[at]  # field numbers here are below 16: one byte
        if key & 7 != 2 or key > 0x7F:
            raise ValueError("not a tf.train.Example with packed lists")
        length, at = _varint(data, at + 1)
        if at + length > end:
            raise ValueError("a field breaks off")
        yield key >> 3, data[at : at + length]
        at += length


def _feature(data: memoryview) -> list[memoryview] | np.ndarray:
    for kind, content in _fields(data):
        items = [item for _, item in _fields(content)]
        if kind == 1:
            return items
        packed = items[0] if items else memoryview(b"")
        return np.frombuffer(packed, "<f4") if kind == 2 else integers(packed)
    return []
