"""Reads the tensors of a PyTorch file, without PyTorch and without running what the file says.

A file of `torch.save` is a pickle of tensors that refer to raw storages. Since PyTorch 1.6 it is a zip archive
(ROOT/data.pkl, ROOT/data/KEY); before, one stream: three header pickles, the pickle, the list of storage keys, and for
each a count of elements and its bytes (torch/serialization.py knows both). Pickles may call anything, so only the few
names that rebuild a dictionary of tensors are let through, and every size is checked against the bytes there are.
"""

import collections
import dataclasses
import math
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from vasa_jax.errors import InputError

State = dict[str, np.ndarray]
"""Tensors by their names in PyTorch."""
_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {
    "HalfStorage": np.float16,
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "ByteStorage": np.uint8,
    "CharStorage": np.int8,
    "ShortStorage": np.int16,
    "IntStorage": np.int32,
    "LongStorage": np.int64,
    "BoolStorage": np.bool_,
}


class NotTensors(Exception):
    """The file is damaged or holds something else than tensors."""


@dataclasses.dataclass(frozen=True)
class _Storage:
    dtype: np.dtype
    key: str
    count: int


@dataclasses.dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, values: np.ndarray) -> np.ndarray:
        """The tensor's own elements among those of its storage."""
        shape, strides = self.shape, self.strides
        if len(shape) != len(strides) or min((self.offset, *shape, *strides)) < 0 or math.prod(shape) > len(values):
            raise NotTensors("a tensor has an impossible shape")
        last = self.offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        if math.prod(shape) and last >= len(values):
            raise NotTensors("a tensor reaches beyond its storage")
        steps = [step * values.itemsize for step in strides]
        return np.lib.stride_tricks.as_strided(values[self.offset :], shape, steps, writeable=False).copy()


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:  # whatever a file says
    if not isinstance(storage, _Storage):
        raise NotTensors("a tensor without a storage")
    return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "Size"): tuple,
    **{("torch", name): name for name in _DTYPES},  # a string: nothing that a pickle could alter
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise NotTensors(f"it refers to {module}.{name}")
        return _ALLOWED[module, name]

    def persistent_load(self, reference: Any) -> _Storage:
        kind, dtype, key, _, count = reference[:5]
        if kind != "storage" or dtype not in _DTYPES:
            raise NotTensors("it refers to something else than a storage")
        if len(reference) > 5 and reference[5] is not None:
            raise NotTensors("it has storages within storages")
        return _Storage(np.dtype(_DTYPES[dtype]), str(key), int(count))


def read_tensors(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads a state dictionary.

    Args:
      path: a file that `torch.save(model.state_dict(), path)` wrote.

    Returns:
      name -> array, in the file's order; entries that are no tensors are left out.

    Raises:
      InputError: the file cannot be read, is damaged, or holds something else.
    """
    try:
        with open(path, "rb") as file:
            read = _read_zip if zipfile.is_zipfile(file) else _read_stream
            file.seek(0)
            return read(file)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # a damaged pickle can raise anything
        what = error if isinstance(error, NotTensors) else type(error).__name__
        raise InputError(f"{path}: no PyTorch file of plain tensors ({what}); fetch it again") from error


def _collect(tree: Any, load: Callable[[_Storage], np.ndarray]) -> dict[str, np.ndarray]:
    if not isinstance(tree, dict):
        raise NotTensors("it holds no dictionary")
    return {str(name): value.of(load(value.storage)) for name, value in tree.items() if isinstance(value, _Tensor)}


def _values(data: bytes, storage: _Storage) -> np.ndarray:
    if len(data) != storage.count * storage.dtype.itemsize:
        raise NotTensors(f"storage {storage.key} is cut short")
    return np.frombuffer(data, storage.dtype.newbyteorder("<"))


def _read_zip(file: BinaryIO) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(names) != 1:
            raise NotTensors("a zip archive without data.pkl")
        root = names[0].removesuffix("data.pkl")
        if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
            raise NotTensors("written by a big-endian machine")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise NotTensors("a compressed zip archive")  # PyTorch never compresses; a bomb would

        def load(storage: _Storage) -> np.ndarray:
            return _values(archive.read(f"{root}data/{storage.key}"), storage)

        with archive.open(names[0]) as pickled:
            return _collect(_Unpickler(pickled).load(), load)


def _read_stream(file: BinaryIO) -> dict[str, np.ndarray]:
    header = [_Unpickler(file).load() for _ in range(3)]
    if header[0] != _MAGIC or not header[2].get("little_endian", True):
        raise NotTensors("not written by torch.save")
    unpickler = _RememberingUnpickler(file)
    tree = unpickler.load()
    stored = {}
    for key in _Unpickler(file).load():
        (count,) = struct.unpack("<q", file.read(8))
        storage = unpickler.storages[str(key)]
        if count != storage.count:
            raise NotTensors(f"storage {key} has another size")
        stored[storage.key] = _values(file.read(count * storage.dtype.itemsize), storage)
    return _collect(tree, lambda storage: stored[storage.key])


class _RememberingUnpickler(_Unpickler):
    """Keeps what it read of the storages: in the stream they follow the pickle, without their types."""

    def __init__(self, file: BinaryIO):
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def persistent_load(self, reference: Any) -> _Storage:
        storage = super().persistent_load(reference)
        return self.storages.setdefault(storage.key, storage)
