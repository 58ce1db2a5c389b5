import pickle
import sys

import numpy as np
import pytest

from data_pipelines import schema
from data_pipelines.prepare.networks import emotion, frame_network
from tests.data_pipelines.prepare.networks import stand_ins
from vasa_jax import landmarks
from vasa_jax.errors import InputError

POINTS = np.tile(30 * landmarks.template() + [64.0, 60.0, 0.0], (7, 1, 1))
LEFT, RIGHT, TOP, BOTTOM = 46, 82, 40, 84  # the box of these points lies within


@pytest.fixture
def runtime():
    return pytest.importorskip("onnxruntime", reason="needs the package onnxruntime, which runs ONNX files")


def _frames(colours):
    """Pictures whose face has the colour [t, 3] and whose background is something else every time."""
    frames = np.random.default_rng(1).integers(0, 255, (len(colours), 120, 128, 3), np.uint8)
    frames[:, TOP:BOTTOM, LEFT:RIGHT] = np.asarray(colours)[:, None, None]
    return frames


def _expected(colours, weights, count=8):
    x = (np.asarray(colours) / 255 - frame_network.IMAGENET_MEAN) / frame_network.IMAGENET_STD
    exponentials = np.exp((x @ weights["w"] + weights["b"])[:, :count])
    return exponentials / exponentials.sum(1, keepdims=True)


def test_the_order_is_that_of_the_published_network():
    """hsemotion_onnx/facial_emotions.py: the classes of the files with eight emotions, by number."""
    published = ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")
    assert schema.EMOTIONS == tuple(name.lower() for name in published)


@pytest.mark.parametrize("side, count", [(224, 8), (260, 8), (224, 10)])
def test_probabilities_of_the_faces_averaged_over_the_clip(side, count, runtime, tmp_path):
    path, weights = stand_ins.write_emotion(tmp_path / "emotion.onnx", side, count)
    colours = np.random.default_rng(2).integers(0, 255, (7, 3))
    network = emotion.EmotionNetwork(path, every=3)
    assert network._side == side
    labels = network(_frames(colours), POINTS)
    assert set(labels) == set(network.labels) == {"emotion"}
    assert labels["emotion"].shape == (7, 8) and labels["emotion"].dtype == np.float32
    expected = _expected(colours[[0, 3, 6]], weights).mean(0)
    np.testing.assert_allclose(labels["emotion"], np.tile(expected, (7, 1)), atol=1e-4)
    again = pickle.loads(pickle.dumps(network))(list(_frames(colours)), POINTS)
    np.testing.assert_array_equal(again["emotion"], labels["emotion"])


def test_wrong_files_say_which_to_get(runtime, tmp_path):
    (tmp_path / "text.onnx").write_text("no network")
    stand_ins.write_emotion(tmp_path / "seven.onnx", count=7)
    stand_ins.write_emotion(tmp_path / "grey.onnx", channels=1)
    whole = stand_ins.write_emotion(tmp_path / "whole.onnx")[0].read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    stand_ins.write_matte(tmp_path / "matte.onnx")
    for name, why in (
        ("matte.onnx", "its output has 4 axes"),
        ("absent.onnx", "does not exist"),
        ("text.onnx", "not a readable ONNX file"),
        ("cut.onnx", "not a readable ONNX file"),
        ("seven.onnx", "it tells 7 classes apart, not 8"),
        ("grey.onnx", "not one image"),
    ):
        with pytest.raises(InputError, match=rf"{name}.*{why}.*give enet_b0_8_best_vgaf.onnx") as caught:
            emotion.EmotionNetwork(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_without_the_package_the_message_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    path, _ = stand_ins.write_emotion(tmp_path / "emotion.onnx")
    with pytest.raises(InputError, match="emotion.onnx needs the package onnxruntime.*pip install"):
        emotion.EmotionNetwork(path)
