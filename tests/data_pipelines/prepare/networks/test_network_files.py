import os
import pickle

import numpy as np
import pytest

from data_pipelines.prepare.networks import NetworkFiles
from tests.data_pipelines.prepare.networks import stand_ins
from vasa_jax.errors import InputError


def test_nothing_is_opened_unless_asked_for():
    for nothing in (NetworkFiles(), NetworkFiles(gaze="", matte="")):
        assert nothing.open() == [] and nothing.state() == {}


def test_files_open_the_networks_they_are_for(tmp_path):
    path = stand_ins.write_torch(tmp_path / "gaze.pkl", stand_ins.resnet_state(np.random.default_rng(0)))
    (opened,) = NetworkFiles(gaze=os.fspath(path)).open()
    assert opened.labels == ("gaze", "eyes")
    with pytest.raises(InputError, match="absent.onnx does not exist: give modnet"):
        NetworkFiles(gaze=os.fspath(path), matte=os.fspath(tmp_path / "absent.onnx")).open()


def test_the_state_follows_what_the_files_hold_not_where_they_lie(tmp_path):
    for folder, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "net.onnx").write_bytes(content)
    a, b, c = (NetworkFiles(matte=os.fspath(tmp_path / folder / "net.onnx")) for folder in "abc")
    assert a.state() == b.state() == pickle.loads(pickle.dumps(a)).state() != c.state()
    assert a.state()["matte"]["file"] == "net.onnx"
    (tmp_path / "a" / "net.onnx").write_bytes(b"three")
    assert a.state() != b.state()
    (tmp_path / "a" / "net.onnx").unlink()
    with pytest.raises(InputError, match="net.onnx does not exist"):
        a.state()
