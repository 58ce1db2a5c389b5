import os
import pickle
import zipfile

import numpy as np
import pytest

from tests.data_pipelines.prepare.networks import stand_ins
from vasa_jax import torch_file
from vasa_jax.errors import InputError

WRITERS = (stand_ins.write_torch, stand_ins.write_torch_stream)
RNG = np.random.default_rng(0)
STATE = {
    "conv.weight": RNG.normal(size=(5, 3, 2, 2)).astype(np.float32),
    "turned": RNG.normal(size=(4, 3)).astype(np.float32).T,
    "norm.num_batches_tracked": np.asarray(7, np.int64),
    "half": RNG.normal(size=6).astype(np.float16),
    "none": np.zeros((0, 3), np.float32),
}


@pytest.mark.parametrize("write", WRITERS)
def test_arrays_come_back_bit_for_bit(write, tmp_path):
    read = torch_file.read_tensors(write(tmp_path / "state.pkl", STATE))
    assert list(read) == list(STATE)
    for name, value in STATE.items():
        assert read[name].dtype == value.dtype and np.array_equal(read[name], value), name


@pytest.mark.parametrize("zipped", [True, False])
def test_what_pytorch_itself_writes(zipped, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch, which wrote the published files, is not installed")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    state = module.state_dict() | {"view": torch.arange(12.0).reshape(3, 4).T[1:], "parameter": module[0].bias}
    torch.save(state, tmp_path / "state.pkl", _use_new_zipfile_serialization=zipped)
    read = torch_file.read_tensors(tmp_path / "state.pkl")
    assert list(read) == list(state)
    for name, value in state.items():
        assert np.array_equal(read[name], value.detach().numpy()), name


class _Call:
    """Unpickled by pickle, makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_file_that_would_run_something_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.pkl", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": _Call(tmp_path / "made")}))
    (tmp_path / "evil_stream.pkl").write_bytes(pickle.dumps(_Call(tmp_path / "made")))
    for name in ("evil.pkl", "evil_stream.pkl"):
        with pytest.raises(InputError, match=r"refers to (posix|nt)\.mkdir"):
            torch_file.read_tensors(tmp_path / name)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [b"", b"some text\n", b"PK\x03\x04 no archive", pickle.dumps([1, 2])])
def test_other_files_are_refused(content, tmp_path):
    (tmp_path / "other.pkl").write_bytes(content)
    with pytest.raises(InputError, match="other.pkl: no PyTorch file"):
        torch_file.read_tensors(tmp_path / "other.pkl")
    with pytest.raises(InputError, match="absent.pkl: cannot be read"):
        torch_file.read_tensors(tmp_path / "absent.pkl")


def test_compressed_archives_are_refused(tmp_path):
    path = stand_ins.write_torch(tmp_path / "bomb.pkl", {"zeros": np.zeros(1000, np.float32)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="compressed"):
        torch_file.read_tensors(path)


@pytest.mark.parametrize("write", WRITERS)
def test_damage_is_told_or_harmless(write, tmp_path):
    """Cut or flipped anywhere, a file gives arrays of the right shapes or an InputError, and never another error."""
    whole = write(tmp_path / "state.pkl", STATE).read_bytes()
    path = tmp_path / "damaged.pkl"
    rng = np.random.default_rng(1)
    damaged = [whole[:size] for size in range(0, len(whole), 41)]
    for place in rng.integers(0, len(whole), 300):
        damaged.append(whole[:place] + bytes([whole[place] ^ 1 << rng.integers(8)]) + whole[place + 1 :])
    told = 0
    for data in damaged:
        path.write_bytes(data)
        try:
            torch_file.read_tensors(path)
        except InputError:
            told += 1
    assert told > len(damaged) / 3  # a flipped bit of a weight in a stream without checksums cannot be seen


@pytest.mark.parametrize(
    "offset, shape, strides",
    [(0, (4, 4), (4, 1)), (3, (3,), (1,)), (0, (2,), (-1,)), (-1, (1,), (1,)), (0, (2, 2), (1,))],
)
def test_tensors_beyond_their_storage_are_refused(offset, shape, strides):
    storage = torch_file._Storage(np.dtype(np.float32), "0", 5)
    with pytest.raises(torch_file.NotTensors):
        torch_file._Tensor(storage, offset, shape, strides).of(np.zeros(5, np.float32))
