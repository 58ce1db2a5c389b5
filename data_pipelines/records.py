"""Random access to the examples of a data set, without TensorFlow.

TFDS writes `tf.train.Example` messages into ArrayRecord shards. This module finds the shards, checks that they are
whole (`data_pipelines.integrity`), keeps an index (speaker and length of every clip) beside them, and reads clips by
number (`data_pipelines.wire`).
"""

import collections
import contextlib
import ctypes
import functools
import json
import pathlib
import threading
from typing import Any, SupportsIndex

import numpy as np

from data_pipelines import integrity
from data_pipelines.wire import Clip, parse_example
from vasa_jax import files
from vasa_jax.errors import InputError

__all__ = ["Clip", "DamagedRecordError", "RecordSplit", "find_dataset", "parse_example"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_COMMANDS = {
    "procedural_heads": "python -m data_pipelines.synthetic --data_dir={data} --config=small_128",
    "procedural_twins": "python -m data_pipelines.synthetic --data_dir={data} --config=small_128 --twins",
    "rigged_heads": "python -m data_pipelines.rigged_heads --heads=VALID --data_dir={data} --config=lite_256",
    "rigged_twins": "python -m data_pipelines.rigged_heads --heads=VALID --data_dir={data} --config=lite_256 --twins",
}
_OTHER_COMMAND = "python -m experiments.prepare --name={name} --input=VIDEOS --output={data} --face_model=MODEL.task"


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
        command = _COMMANDS.get(name.split("/")[0], _OTHER_COMMAND).format(data=data_dir, name=name.split("/")[0])
        raise InputError(
            f"{root}: no data set {f'with configuration {config} ' if config else ''}there; make it with: {command}"
        )
    configs = {f.parent for f in folders}
    if len(configs) > 1:
        raise InputError(
            f"{root}: several configurations, {', '.join(sorted(c.name for c in configs))}; choose one with data.config"
        )
    return max(folders, key=lambda f: [int(n) if n.isdigit() else 0 for n in f.name.split(".")])


class DamagedRecordError(InputError):
    """A record whose bytes are not those that were written; all other records are well.

    Attributes:
      index: of the record in its split.
    """

    def __init__(self, index: int, message: str):
        super().__init__(message)
        self.index = index


class RecordSplit:
    """One split of a data set: a sequence of `Clip`.

    Args:
      folder: version folder, see `find_dataset`.
      split: name of the split.
      cache_bytes: examples are kept in memory, as stored, up to this size in all.
      checksums: compare every shard's SHA-256 with the manifest first.

    Attributes:
      clip_ids, speakers, lengths: one entry a clip, known without reading it.

    Raises:
      InputError: no such split; a shard missing, cut short or of another record count than was written.
    """

    def __init__(self, folder: pathlib.Path, split: str, cache_bytes: int = 2 << 30, checksums: bool = False):
        _keep_freed_memory()
        folder = pathlib.Path(folder)
        self.folder, self.split = folder, split
        self._paths = integrity.find_shards(folder, split)
        if checksums:
            integrity.check_sums(folder, self._paths)
        self._readers = [_open(path) for path in self._paths]
        counts = [reader.num_records() for reader in self._readers]
        integrity.check_counts(folder, split, self._paths, counts)
        self._starts = np.cumsum([0, *counts])
        self._locks = [threading.Lock() for _ in self._paths]
        self._cache: collections.OrderedDict[int, tuple[int, Clip]] = collections.OrderedDict()
        self._cache_lock = threading.Lock()
        self._cached, self._cache_bytes = 0, cache_bytes
        index = self._load_index(sum(p.stat().st_size for p in self._paths))
        self.clip_ids, self.speakers, self.lengths = index["clip_id"], index["speaker"], index["length"]

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, i: SupportsIndex) -> Clip:
        """Reads a clip.

        Raises:
          DamagedRecordError: its checksum, which ArrayRecord keeps of every record, is wrong.
          InputError: the record is as it was written, but not a clip.
        """
        with self._cache_lock:
            if i in self._cache:
                self._cache.move_to_end(i)
                return self._cache[i][1]
        size, clip = self._read(i)
        if size > self._cache_bytes:
            return clip
        with self._cache_lock:
            if i not in self._cache:
                self._cache[i] = size, clip
                self._cached += size
                while self._cached > self._cache_bytes:
                    self._cached -= self._cache.popitem(last=False)[1][0]
        return clip

    def _read(self, i: int) -> tuple[int, Clip]:
        if not 0 <= i < len(self):
            raise IndexError(i)
        shard = int(np.searchsorted(self._starts, i, side="right")) - 1
        place = i - int(self._starts[shard])
        where = f"{self._paths[shard]}: record {place}"
        try:
            with self._locks[shard]:  # a reader is not for two threads at once
                data = self._readers[shard].read([place])[0]
        except (RuntimeError, ValueError, IndexError, OSError) as error:
            reason = str(error).split(" (computed")[0].splitlines()[0] if str(error) else type(error).__name__
            raise DamagedRecordError(i, f"{where} is damaged ({reason}); copy the shard again") from error
        try:
            return len(data), parse_example(data)
        except ValueError as error:
            raise InputError(f"{where} is not a clip of this version ({error}); make the data set again") from error

    def _load_index(self, size: int) -> dict[str, Any]:
        path = self.folder / f"index-{self.split}.json"
        index = _kept_index(path)
        if index.get("bytes") == size and len(index.get("clip_id", ())) == len(self):
            return index
        index = {"bytes": size, "clip_id": [], "speaker": [], "length": []}
        for i in range(len(self)):  # a damaged record ends this: who speaks in it decides on the order of all
            _, clip = self._read(i)
            index["clip_id"].append(clip.clip_id)
            index["speaker"].append(clip.speaker)
            index["length"].append(len(clip))
        try:
            files.write_json(path, index)
        except OSError:
            pass  # a data set on a read-only disk is indexed at every start
        return index


@functools.cache
def _keep_freed_memory() -> None:
    """Lets the process keep the memory of a record for the next one, up to 256 MiB.

    glibc hands large blocks back to the system at once; reading 1.2 MB then takes 820 page faults and 3.6 ms, of which
    2.6 ms are the system's. Other C libraries have no such switch.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        libc.mallopt(_M_TRIM_THRESHOLD, 256 << 20)


def _open(path: pathlib.Path) -> Any:
    from array_record.python import array_record_module

    try:  # no read-ahead: access is random
        return array_record_module.ArrayRecordReader(str(path), options="readahead_buffer_size:0")
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(f"{path}: cannot be opened ({str(error).splitlines()[0]}); copy the shard again") from error


def _kept_index(path: pathlib.Path) -> dict[str, Any]:
    """The index file; empty if there is none or it is damaged: then it is made again."""
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        return index if len({len(index[key]) for key in ("clip_id", "speaker", "length")}) == 1 else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
