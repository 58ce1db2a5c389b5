"""Files of the kinds that the networks are published in, small ones, written without PyTorch or the onnx package."""

import collections
import io
import pickle
import pickletools
import struct
import sys
import types
import zipfile
from pathlib import Path
from unittest import mock

import numpy as np

from vasa_jax.pretrained import resnet

STORAGES = {"float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage", "int64": "LongStorage"}


class _Tensor:
    def __init__(self, array: np.ndarray, key: str):
        self.array, self.key = np.asarray(array), key


class _Storage:
    def __init__(self, tensor: _Tensor):
        self.tensor = tensor


class _Pickler(pickle.Pickler):
    """Writes tensors by the names that PyTorch uses."""

    def __init__(self, file: io.BytesIO, torch: types.ModuleType, stream: bool):
        super().__init__(file, protocol=2)
        self.torch, self.stream = torch, stream

    def persistent_id(self, value: object) -> tuple | None:
        if not isinstance(value, _Storage):
            return None
        array = value.tensor.array
        kind = getattr(self.torch, STORAGES[array.dtype.name])
        return ("storage", kind, value.tensor.key, "cpu", array.size, *([None] if self.stream else []))

    def reducer_override(self, value: object) -> object:
        if not isinstance(value, _Tensor):
            return NotImplemented
        array = value.array
        strides = tuple(step // array.itemsize for step in array.strides)
        arguments = (_Storage(value), 0, array.shape, strides, False, collections.OrderedDict())
        return self.torch._utils._rebuild_tensor_v2, arguments


def _torch() -> dict[str, types.ModuleType]:
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2() -> None: ...

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    torch._utils = utils
    return {"torch": torch, "torch._utils": utils}


def _pickled(state: dict[str, np.ndarray], stream: bool) -> tuple[bytes, list[_Tensor]]:
    tensors = [_Tensor(value, str(i)) for i, value in enumerate(state.values())]
    modules = _torch()
    file = io.BytesIO()
    with mock.patch.dict(sys.modules, modules):
        _Pickler(file, modules["torch"], stream).dump(collections.OrderedDict(zip(state, tensors)))
    return pickletools.optimize(file.getvalue()), tensors


def write_torch(path: Path, state: dict[str, np.ndarray], compression: int = zipfile.ZIP_STORED) -> Path:
    """A state dictionary as `torch.save` writes it since PyTorch 1.6."""
    data, tensors = _pickled(state, stream=False)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", data)
        for tensor in tensors:
            archive.writestr(f"archive/data/{tensor.key}", tensor.array.ravel(order="K").tobytes())
    return path


def write_torch_stream(path: Path, state: dict[str, np.ndarray]) -> Path:
    """The same as PyTorch wrote it before."""
    data, tensors = _pickled(state, stream=True)
    header = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True})
    with open(path, "wb") as file:
        for value in header:
            pickle.dump(value, file, protocol=2)
        file.write(data)
        pickle.dump([tensor.key for tensor in tensors], file, protocol=2)
        for tensor in tensors:
            file.write(struct.pack("<q", tensor.array.size) + tensor.array.ravel(order="K").tobytes())
    return path


def resnet_state(
    rng: np.random.Generator, width: int = 4, blocks: tuple[int, ...] = (1, 2, 1, 1), bins: int = 90
) -> dict[str, np.ndarray]:
    """Random weights of the gaze network, names as in its file; width 64 and blocks (3, 4, 6, 3) are a ResNet-50."""
    state = resnet.random_state(blocks, width, int(rng.integers(2**31)))
    inputs = 32 * width
    for head in ("fc_yaw_gaze", "fc_pitch_gaze"):
        state[f"{head}.weight"] = rng.normal(size=(bins, inputs)) / np.sqrt(inputs)
        state[f"{head}.bias"] = rng.normal(size=bins)
    return {name: value.astype(np.float32) for name, value in state.items()}


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        value, out = value >> 7, out + bytes([value & 127 | 128])
    return out + bytes([value])


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _value_info(name: str, shape: tuple[int | str, ...]) -> bytes:
    dims = b"".join(_field(1, _field(1 if isinstance(size, int) else 2, size)) for size in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, dims)))


def _weight(name: str, array: np.ndarray) -> bytes:
    dims = b"".join(_field(1, size) for size in array.shape)
    return dims + _field(2, 1) + _field(8, name) + _field(9, array.astype("<f4").tobytes())


def write_onnx(
    path: Path,
    nodes: list[tuple[str, list[str], str]],
    weights: dict[str, np.ndarray],
    inputs: dict[str, tuple[int | str, ...]],
    outputs: dict[str, tuple[int | str, ...]],
) -> Path:
    """An ONNX model of nodes (operator, names in, name out) without attributes; fields as numbered in onnx.proto."""
    graph = _field(2, "graph")
    for operator, into, out in nodes:
        graph += _field(1, b"".join(_field(1, name) for name in into) + _field(2, out) + _field(4, operator))
    graph += b"".join(_field(5, _weight(name, array)) for name, array in weights.items())
    graph += b"".join(_field(11, _value_info(*entry)) for entry in inputs.items())
    graph += b"".join(_field(12, _value_info(*entry)) for entry in outputs.items())
    path.write_bytes(_field(1, 6) + _field(7, graph) + _field(8, _field(2, 11)))
    return path


def write_emotion(path: Path, side: int = 224, count: int = 8, channels: int = 3) -> tuple[Path, dict[str, np.ndarray]]:
    """A network of the emotion network's signature, and its weights: the image's mean colour, then a linear layer."""
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(channels, count)), "b": rng.normal(size=count)}
    nodes = [
        ("GlobalAveragePool", ["input"], "pooled"),
        ("Flatten", ["pooled"], "flat"),
        ("Gemm", ["flat", "w", "b"], "output"),
    ]
    shapes = {"input": ("batch_size", channels, side, side)}, {"output": ("batch_size", count)}
    return write_onnx(path, nodes, weights, *shapes), weights


def write_matte(path: Path, height: int | str = "height", width: int | str = "width", outputs: int = 1) -> Path:
    """A network of the matte network's signature. Foreground is what is red: ten times the red of -1..1, a sigmoid."""
    nodes = [("Conv", ["input", "w", "b"], "logits"), ("Sigmoid", ["logits"], "output")]
    kernel = np.zeros((outputs, 3, 1, 1))
    kernel[:, 0] = 10
    shapes = {"input": ("batch_size", 3, height, width)}, {"output": ("batch_size", outputs, height, width)}
    return write_onnx(path, nodes, {"w": kernel, "b": np.zeros(outputs)}, *shapes)


def write_gaze(path: Path, yaw: float, pitch: float) -> Path:
    """A gaze network that always answers with these angles of its own, in degrees."""
    state = resnet_state(np.random.default_rng(0))
    for head, degrees in (("fc_yaw_gaze", yaw), ("fc_pitch_gaze", pitch)):
        state[f"{head}.weight"] *= 0
        state[f"{head}.bias"] = gaze_peak(degrees)
    return write_torch(path, state)


def gaze_peak(degrees: float) -> np.ndarray:
    """Logits [90] of a distribution whose mean is that angle: two neighbouring bins share it."""
    place = (degrees + 180) / 4
    low = int(np.floor(place))
    share = np.full(90, 1e-12)
    share[[low, low + 1]] += [low + 1 - place, place - low]
    return np.log(share).astype(np.float32)
