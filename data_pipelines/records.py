"""Random access to the examples of a data set, without TensorFlow.

TFDS writes `tf.train.Example` messages into ArrayRecord shards. This module finds the shards, keeps an index (speaker
and length of every clip) beside them, and reads the few fields that a batch needs straight off the wire format
(protobuf encoding: https://protobuf.dev/programming-guides/encoding), so that pictures not asked for are never copied.
"""

import collections
import dataclasses
import json
import pathlib
import threading

import numpy as np

from data_pipelines import schema
from data_pipelines.prepare import shard_manifest
from vasa_jax import files
from vasa_jax.errors import InputError

_COMMANDS = {
    "grid": "python -m experiments.prepare --name=grid --input=GRID_FOLDER --output={data} --face_model=MODEL.task",
    "procedural_heads": "python -m data_pipelines.synthetic --data_dir={data} --config=small_128",
}
_OTHER_COMMAND = "its builder under data_pipelines/ with --data_dir={data}"


def find_dataset(data_dir: str | pathlib.Path, name: str, config: str | None = None) -> pathlib.Path:
    """The version folder of a data set that TFDS wrote: DATA_DIR/NAME/CONFIG/VERSION, the newest version.

    Args:
      data_dir: TFDS data folder.
      name: data set, or "NAME/CONFIG".
      config: builder configuration; needed if there are several.

    Raises:
      InputError: there is none, or the configuration is ambiguous.
    """
    root = pathlib.Path(data_dir) / name
    folders = [path.parent for path in root.glob("**/dataset_info.json") if "incomplete" not in str(path)]
    if config:
        # A data set with one size only may have no configurations: then the version lies right under its name.
        folders = [f for f in folders if config in f.relative_to(data_dir).parts or f.parent == root]
    if not folders:
        command = _COMMANDS.get(name.split("/")[0], _OTHER_COMMAND).format(data=data_dir)
        raise InputError(
            f"{root}: no data set {f'with configuration {config} ' if config else ''}there; make it with: {command}"
        )
    configs = {f.parent for f in folders}
    if len(configs) > 1:
        raise InputError(
            f"{root}: several configurations, {', '.join(sorted(c.name for c in configs))}; choose one with data.config"
        )
    return max(folders, key=lambda f: [int(n) if n.isdigit() else 0 for n in f.name.split(".")])


@dataclasses.dataclass(frozen=True)
class Clip:
    """One example, read lazily: `labels` are arrays [t, ...], `jpeg[k]` the k-th picture, `audio` [t * 640]."""

    clip_id: str
    speaker: str
    jpeg: list[memoryview]
    audio: np.ndarray
    labels: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.jpeg)

    def picture(self, k: int) -> np.ndarray:
        """Decodes one picture, uint8 [s, s, 3]."""
        return schema.decode_jpeg(self.jpeg[k])


class RecordSplit:
    """One split of a data set: a sequence of `Clip`.

    Args:
      folder: version folder, see `find_dataset`.
      split: name of the split.
      cache_bytes: examples are kept in memory, as stored, up to this size in all.

    Attributes:
      clip_ids, speakers, lengths: one entry a clip, known without reading it.
    """

    def __init__(self, folder: pathlib.Path, split: str, cache_bytes: int = 2 << 30):
        from array_record.python import array_record_module

        shard_manifest.check(folder)
        self.folder, self.split = folder, split
        paths = sorted(folder.glob(f"*-{split}.array_record-*"))
        if not paths:
            known = sorted(
                {p.name.split(".array_record")[0].rsplit("-", 1)[-1] for p in folder.glob("*.array_record-*")}
            )
            raise InputError(f"{folder}: no split {split!r}; it has {', '.join(known) or 'none'}")
        # No read-ahead: access is random.
        self._readers = [
            array_record_module.ArrayRecordReader(str(p), options="readahead_buffer_size:0") for p in paths
        ]
        self._starts = np.cumsum([0] + [reader.num_records() for reader in self._readers])
        self._lock = threading.Lock()
        self._cache: collections.OrderedDict[int, tuple[int, Clip]] = collections.OrderedDict()
        self._cached, self._cache_bytes = 0, cache_bytes
        index = self._load_index(sum(p.stat().st_size for p in paths))
        self.clip_ids, self.speakers, self.lengths = index["clip_id"], index["speaker"], index["length"]

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, i: int) -> Clip:
        with self._lock:
            if i in self._cache:
                self._cache.move_to_end(i)
                return self._cache[i][1]
        size, clip = self._read(i)
        with self._lock:
            if i not in self._cache:
                self._cache[i] = size, clip
                self._cached += size
                while self._cached > self._cache_bytes and len(self._cache) > 1:
                    self._cached -= self._cache.popitem(last=False)[1][0]
        return clip

    def _read(self, i: int) -> tuple[int, Clip]:
        if not 0 <= i < len(self):
            raise IndexError(i)
        shard = int(np.searchsorted(self._starts, i, side="right")) - 1
        with self._lock:  # a reader is not for two threads at once
            data = self._readers[shard].read([i - int(self._starts[shard])])[0]
        return len(data), parse_example(data)

    def _load_index(self, size: int) -> dict[str, list]:
        path = self.folder / f"index-{self.split}.json"
        if path.exists():
            index = json.loads(path.read_text())
            if index["bytes"] == size and len(index["clip_id"]) == len(self):
                return index
        index = {"bytes": size, "clip_id": [], "speaker": [], "length": []}
        for i in range(len(self)):
            _, clip = self._read(i)
            index["clip_id"].append(clip.clip_id)
            index["speaker"].append(clip.speaker)
            index["length"].append(len(clip))
        try:
            files.write_json(path, index)
        except OSError:
            pass  # a data set on a read-only disk is indexed at every start
        return index


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data: memoryview):
    """Number and content of the length-delimited fields of a message; an Example has no others."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 != 2:
            raise ValueError("not a tf.train.Example with packed lists")
        length, at = _varint(data, at)
        yield key >> 3, data[at : at + length]
        at += length


def parse_example(data: bytes) -> Clip:
    """Reads a serialised `tf.train.Example` of `data_pipelines.schema`."""
    values = {}
    for _, features in _fields(memoryview(data)):
        for _, entry in _fields(features):
            parts = dict(_fields(entry))
            values[bytes(parts[1]).decode()] = _feature(parts.get(2, memoryview(b"")))
    labels = {}
    t = len(values["frames"])
    for name, (shape, dtype) in schema.PER_FRAME.items():
        labels[name] = np.asarray(values[name]).astype(dtype, copy=False).reshape(t, *shape)
    text = {name: bytes(values[name][0]).decode() for name in ("clip_id", "speaker")}
    return Clip(**text, jpeg=values["frames"], audio=np.asarray(values["audio"], np.float32), labels=labels)


def _feature(data: memoryview) -> list[memoryview] | np.ndarray:
    for kind, content in _fields(data):
        items = [item for _, item in _fields(content)]
        if kind == 1:
            return items
        packed = items[0] if items else memoryview(b"")
        return np.frombuffer(packed, "<f4") if kind == 2 else _integers(packed)
    return []


def _integers(packed: memoryview) -> np.ndarray:
    values, at = [], 0
    while at < len(packed):
        value, at = _varint(packed, at)
        values.append(value - (1 << 64) if value >> 63 else value)
    return np.asarray(values, np.int64)
