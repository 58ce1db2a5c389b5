"""The VGGs against PyTorch's, by random weights in the layouts of the published files."""

import numpy as np
import pytest

from vasa_jax.pretrained import vgg
from vasa_jax.pretrained.networks import FACE_SIDE, open_networks


def _torch():
    return pytest.importorskip("torch", reason="PyTorch, which the published files were written by, is not installed")


def _torchvision_features():
    """VGG-19's convolutional part as torchvision builds it."""
    _torch()
    try:
        from torchvision.models import vgg as original
    except Exception as error:  # a torchvision that does not fit its torch fails in its own ways
        pytest.skip(f"torchvision, which publishes VGG-19, cannot be imported: {error}")
    return original.make_layers(original.cfgs["E"]).eval()


def _close(found, expected):
    """float32 sums of up to 4,608 terms in another order, through up to thirteen layers: 1e-4 of a map's largest value.

    A wrong weight, order or padding shows as 1e-1.
    """
    for ours, theirs in zip(found, expected, strict=True):
        theirs = theirs.numpy().transpose(0, 2, 3, 1)
        assert theirs.std() > 0
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())


def test_vgg19_is_torchvisions(tmp_path):
    features = _torchvision_features()
    torch = _torch()
    state = {f"features.{name}": value for name, value in features.state_dict().items()}
    torch.save(state | {"classifier.0.bias": torch.zeros(3)}, tmp_path / "vgg19.pth")
    network = open_networks({"vgg19": str(tmp_path / "vgg19.pth")}).image
    image = np.random.default_rng(0).random((1, 48, 37, 3), np.float32)
    x = (image - np.float32(vgg.IMAGENET_MEAN)) / np.float32(vgg.IMAGENET_STD)
    x, expected = torch.tensor(x.transpose(0, 3, 1, 2)), []
    with torch.no_grad():
        for place, layer in enumerate(features):
            x = layer(x)
            if place in (1, 6, 11, 20, 29):  # relu1_1 to relu5_1
                expected.append(x.clone())
    _close(network.maps(image), expected)
    assert [m.shape[1] for m in network.maps(image)] == [48, 24, 12, 6, 3]


def test_vggface_is_the_plain_stack_on_its_own_normalisation(tmp_path):
    torch = _torch()
    functional = torch.nn.functional
    state = {name: torch.tensor(value) for name, value in vgg.random_state(vgg.face_names(), seed=3).items()}
    for name in state:
        if name.endswith("bias"):
            state[name] = 0.1 * torch.randn(state[name].shape, generator=torch.Generator().manual_seed(0))
    torch.save(state | {"fc6.weight": torch.zeros(4, 4), "conv5_2.bias": torch.zeros(3)}, tmp_path / "vgg_face_dag.pth")
    network = open_networks({"vggface": str(tmp_path / "vgg_face_dag.pth")}).face
    assert network.side == FACE_SIDE
    image = np.random.default_rng(1).random((1, 32, 32, 3), np.float32)
    # As its publisher gives it: 0..255 less the mean, deviation 1.
    x = 255 * torch.tensor(image.transpose(0, 3, 1, 2)) - torch.tensor([129.1863, 104.7624, 93.5940])[:, None, None]
    expected = []
    for block in vgg.face_names():
        for number, name in enumerate(block):
            x = functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1).relu()
            if not number:
                expected.append(x)
        x = functional.max_pool2d(x, 2)
    _close(network.maps(image), expected)


def test_names_are_those_of_the_files():
    names = vgg.torchvision_names("vgg19")
    assert names[0] == ["features.0", "features.2"]
    assert [block[0] for block in names] == [f"features.{n}" for n in (0, 5, 10, 19, 28)]
    assert vgg.face_names()[2] == ["conv3_1", "conv3_2", "conv3_3"] and vgg.face_names()[4] == ["conv5_1"]
    assert [block[0] for block in vgg.torchvision_names("vgg16")] == [f"features.{n}" for n in (0, 5, 10, 17, 24)]
