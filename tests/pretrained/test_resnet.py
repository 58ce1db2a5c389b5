"""The network against the plain arithmetic of its layers, and against PyTorch where that is installed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from data_pipelines.prepare.networks import gaze
from tests.data_pipelines.prepare.networks import stand_ins
from vasa_jax.pretrained import resnet


def _convolved(x, weight, stride):
    outputs, _, side, _ = weight.shape
    pad = side // 2
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    h, w = ((n - side) // stride + 1 for n in x.shape[2:])
    y = np.zeros((len(x), outputs, h, w))
    for i in range(side):
        for j in range(side):
            taps = x[:, :, i : i + stride * h : stride, j : j + stride * w : stride]
            y += np.einsum("bchw,oc->bohw", taps, weight[:, :, i, j])
    return y


def _reference(state, x):
    """Features [b, d] of images [b, 3, h, w], layer by layer in float64."""

    def layer(x, convolution, norm, stride=1):
        gamma, beta, mean, variance = (
            state[f"{norm}.{name}"][:, None, None].astype(np.float64)
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        y = _convolved(x, state[f"{convolution}.weight"].astype(np.float64), stride)
        return (y - mean) / np.sqrt(variance + 1e-5) * gamma + beta

    x = np.maximum(layer(x.astype(np.float64), "conv1", "bn1", 2), 0)
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    h, w = ((n - 3) // 2 + 1 for n in x.shape[2:])
    x = np.max([x[:, :, i : i + 2 * h : 2, j : j + 2 * w : 2] for i in range(3) for j in range(3)], 0)
    for prefix in dict.fromkeys(".".join(name.split(".")[:2]) for name in state if name.startswith("layer")):
        stride = 2 if prefix.endswith(".0") and not prefix.startswith("layer1") else 1
        y = np.maximum(layer(x, f"{prefix}.conv1", f"{prefix}.bn1"), 0)
        y = np.maximum(layer(y, f"{prefix}.conv2", f"{prefix}.bn2", stride), 0)
        y = layer(y, f"{prefix}.conv3", f"{prefix}.bn3")
        if f"{prefix}.downsample.0.weight" in state:
            x = layer(x, f"{prefix}.downsample.0", f"{prefix}.downsample.1", stride)
        x = np.maximum(x + y, 0)
    return x.mean((2, 3))


@pytest.mark.parametrize("size", [(64, 64), (50, 71)])
def test_features_are_those_of_the_layers(size):
    rng = np.random.default_rng(0)
    state = stand_ins.resnet_state(rng)
    x = rng.normal(size=(2, 3, *size)).astype(np.float32)
    found = jax.jit(resnet.features)(resnet.from_torch(state), jnp.asarray(x.transpose(0, 2, 3, 1)))
    expected = _reference(state, x)
    assert np.abs(expected).mean() > 0.1
    # float32 against float64 through sixteen layers
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_missing_weight_is_named():
    state = stand_ins.resnet_state(np.random.default_rng(0))
    with pytest.raises(KeyError, match=r"layer2\.1\.bn3\.running_var"):
        resnet.from_torch({name: value for name, value in state.items() if name != "layer2.1.bn3.running_var"})
    with pytest.raises(KeyError, match=r"layer4\.0\.conv1"):
        resnet.from_torch({name: value for name, value in state.items() if name[:6] != "layer4"})


def _original(torch):
    """The gaze network as PyTorch has it: a ResNet-50 of torchvision's names with two heads."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, inputs, inner, stride):
            super().__init__()
            sizes = ((inputs, inner, 1, 1), (inner, inner, 3, stride), (inner, 4 * inner, 1, 1))
            for i, (a, b, side, step) in enumerate(sizes, 1):
                setattr(self, f"conv{i}", nn.Conv2d(a, b, side, step, side // 2, bias=False))
                setattr(self, f"bn{i}", nn.BatchNorm2d(b))
            self.downsample = None
            if stride > 1 or inputs != 4 * inner:
                convolution = nn.Conv2d(inputs, 4 * inner, 1, stride, bias=False)
                self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(4 * inner))

        def forward(self, x):
            y = self.bn1(self.conv1(x)).relu()
            y = self.bn2(self.conv2(y)).relu()
            return (self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x))).relu()

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
            self.maxpool, inputs = nn.MaxPool2d(3, 2, 1), 64
            for stage, count in enumerate((3, 4, 6, 3)):
                blocks = []
                for i in range(count):
                    blocks.append(Block(inputs, 64 << stage, 2 if stage and not i else 1))
                    inputs = 4 * (64 << stage)
                setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
            self.fc_yaw_gaze, self.fc_pitch_gaze = nn.Linear(inputs, 90), nn.Linear(inputs, 90)

        def forward(self, x):
            x = self.maxpool(self.bn1(self.conv1(x)).relu())
            x = self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))
            return self.fc_yaw_gaze(x), self.fc_pitch_gaze(x)

    return Network().eval()


def test_the_whole_gaze_network_is_that_of_pytorch(tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch, which the gaze network was published for, is not installed")
    rng = np.random.default_rng(0)
    state = stand_ins.resnet_state(rng, 64, (3, 4, 6, 3))
    original = _original(torch)
    missing, unexpected = original.load_state_dict({k: torch.tensor(v) for k, v in state.items()}, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)
    torch.save(original.state_dict(), tmp_path / "L2CSNet_gaze360.pkl")
    x = rng.normal(size=(2, 3, 96, 96)).astype(np.float32)
    with torch.no_grad():
        expected = [y.numpy() for y in original(torch.tensor(x))]
    found = gaze.logits(gaze.load(tmp_path / "L2CSNet_gaze360.pkl"), jnp.asarray(x.transpose(0, 2, 3, 1)))
    for ours, theirs in zip(found, expected, strict=True):
        assert theirs.std() > 0.5
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
