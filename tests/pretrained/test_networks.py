"""Opening the networks of the losses: what is given is used, what is not is our own, what is wrong is said."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests import quick
from tests.data_pipelines.prepare.networks import stand_ins
from vasa_jax import weights
from vasa_jax.errors import InputError, UsageError
from vasa_jax.losses.perceptual import OWN, feature_loss
from vasa_jax.pretrained import iresnet, networks


def test_without_files_all_is_our_own():
    opened = networks.open_networks({"vgg19": "", "vggface": "", "gaze": "", "arcface": ""})
    assert opened.image is opened.face is opened.gaze is OWN and opened.identity is None


def test_the_gaze_file_serves_both_labels_and_losses(tmp_path):
    path = stand_ins.write_torch(tmp_path / "gaze.pkl", stand_ins.resnet_state(np.random.default_rng(0)))
    maps = networks.open_networks({"gaze": str(path)}).gaze.maps(np.full((1, 64, 64, 3), 0.4, np.float32))
    assert [m.shape[1] for m in maps] == [16, 8, 4, 2] and maps[-1].shape[-1] == 128


def test_arcface_from_a_file_of_a_training_on_several_devices(tmp_path):
    state = iresnet.random_state((1, 1, 1, 1), width=4, features=8)
    path = stand_ins.write_torch(tmp_path / "backbone.pth", {f"module.{k}": v for k, v in state.items()})
    face = np.random.default_rng(0).random((1, 112, 112, 3), np.float32)
    found = networks.open_networks({"arcface": str(path)}).identity(face)
    np.testing.assert_array_equal(found, iresnet.code(iresnet.from_torch(state), face))


def test_maps_in_bfloat16_tell_images_apart_as_in_float32(monkeypatch):
    monkeypatch.setattr(networks.vgg, "WIDTHS", (8, 8, 8, 8, 8))
    rng = np.random.default_rng(0)
    a = rng.random((1, 32, 32, 3), np.float32)
    b = np.clip(a + 0.1 * rng.normal(size=a.shape).astype(np.float32), 0, 1)
    weight = np.ones((1, 32, 32, 1), np.float32)
    full, half = (networks.open_networks({"vgg19": networks.RANDOM}, dtype).image for dtype in ("float32", "bfloat16"))
    assert half.maps(a)[0].dtype == jnp.bfloat16
    losses = [feature_loss(a, b, weight, network) for network in (full, half)]
    assert losses[1].dtype == jnp.float32
    # Eight bits of mantissa, 0.4% a value; rounding averages out over maps, what remains is a share of that.
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.02)


def test_the_bundled_dynamics_encoder_stands_in_for_vggface():
    network = networks.open_networks({"vggface": weights.BUNDLED}).face
    face = np.random.default_rng(0).random((1, network.side, network.side, 3), np.float32)
    maps = quick.jit(lambda network, face: network.maps(face))(network, face)
    assert len(maps) == len(network.weights) and maps[0].shape[1] > maps[-1].shape[1]
    for found in maps:
        np.testing.assert_allclose(np.square(found).sum(-1), 1.0, atol=0.01)


def test_wrong_files_are_named_with_what_to_give(tmp_path):
    path = stand_ins.write_torch(tmp_path / "other.pth", {"features.0.weight": np.zeros((8, 3, 3, 3), np.float32)})
    with pytest.raises(InputError, match=r"other.pth: another network \(features.0 has the shape .*give vgg19-"):
        networks.open_networks({"vgg19": str(path)})
    for name, what in (("vggface", "conv1_1.weight"), ("arcface", "bn1.weight"), ("gaze", "bn1.weight")):
        with pytest.raises(InputError, match=rf"{what} is missing.*give "):
            networks.open_networks({name: str(path)})
    with pytest.raises(InputError, match="absent.pth does not exist: give vgg_face_dag.pth"):
        networks.open_networks({"vggface": str(tmp_path / "absent.pth")})
    with pytest.raises(UsageError, match="names vgg16; it knows vgg19"):
        networks.open_networks({"vgg16": ""})
