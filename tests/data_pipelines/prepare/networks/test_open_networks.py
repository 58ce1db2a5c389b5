import numpy as np
import pytest

from data_pipelines.prepare import networks
from tests.data_pipelines.prepare.networks import stand_ins
from vasa_jax.errors import InputError


def test_nothing_is_opened_unless_asked_for():
    assert networks.open_networks() == [] == networks.open_networks(gaze="", emotion=None, matte="")


def test_files_open_the_networks_they_are_for(tmp_path):
    path = stand_ins.write_torch(tmp_path / "gaze.pkl", stand_ins.resnet_state(np.random.default_rng(0)))
    (opened,) = networks.open_networks(gaze=path)
    assert opened.labels == ("gaze", "eyes")
    with pytest.raises(InputError, match="absent.onnx does not exist: give modnet"):
        networks.open_networks(gaze=path, matte=tmp_path / "absent.onnx")
