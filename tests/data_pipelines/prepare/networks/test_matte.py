import pickle

import numpy as np
import pytest

from data_pipelines.prepare.networks import matte
from tests.data_pipelines.prepare.networks import stand_ins
from vasa_jax.errors import InputError


@pytest.fixture
def runtime():
    return pytest.importorskip("onnxruntime", reason="needs the package onnxruntime, which runs ONNX files")


@pytest.mark.parametrize(
    "image, seen",
    [((80, 80), (512, 512)), ((512, 512), (512, 512)), ((640, 480), (640, 480)), ((1920, 1080), (896, 512)),
     ((360, 288), (640, 512)), ((600, 500), (576, 480)), ((40, 2000), (32, 1984))],
)  # fmt: skip
def test_sizes_are_those_of_the_published_code(image, seen):
    """Its rule (onnx/inference_onnx.py): the shorter side becomes 512 where both are above it or both below."""
    assert matte.network_size(*image) == seen


@pytest.mark.parametrize("size", [(80, 80), (72, 90), (64, 48)])
@pytest.mark.parametrize("fixed", [False, True])
def test_mattes_have_the_size_and_place_of_their_images(size, fixed, runtime, tmp_path):
    path = stand_ins.write_matte(tmp_path / "matte.onnx", *((64, 96) if fixed else ()))
    height, width = size
    frames = np.zeros((3, height, width, 3), np.uint8)
    frames[:, :, : width // 2, 0] = 255
    frames[2] = 127
    network = matte.MatteNetwork(path)
    labels = network(frames, np.zeros((3, 5, 3)))
    assert set(labels) == set(network.labels) == {"matte"}
    found = labels["matte"]
    assert found.dtype == np.uint8 and found.shape == (3, height, width)
    assert (found[:2, :, : width // 2 - 2] == 255).all() and (found[:2, :, width // 2 + 2 :] == 0).all()
    np.testing.assert_allclose(found[2], 255 / (1 + np.exp(10 * 0.5 / 127.5)), atol=1)
    again = pickle.loads(pickle.dumps(network))(list(frames), np.zeros((3, 5, 3)))
    np.testing.assert_array_equal(again["matte"], found)


def test_wrong_files_say_which_to_get(runtime, tmp_path):
    stand_ins.write_matte(tmp_path / "colours.onnx", outputs=3)
    for name, why in (("absent.onnx", "does not exist"), ("colours.onnx", "its output has 3 channels")):
        with pytest.raises(InputError, match=rf"{name}.*{why}.*give modnet_photographic_portrait_matting.onnx"):
            matte.MatteNetwork(tmp_path / name)
