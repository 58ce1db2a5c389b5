"""ArcFace's backbone against the same layers in PyTorch, by random weights."""

import numpy as np
import pytest

from vasa_jax.pretrained import iresnet


def _reference(torch, state, face):
    """Code [b, d] of faces [b, 3, 112, 112] in -1..1, layer by layer under the names of the published file."""
    functional = torch.nn.functional

    def norm(x, name):
        entries = (state[f"{name}.{entry}"] for entry in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(x, *entries, eps=1e-5)

    def conv(x, name, stride=1):
        weight = state[f"{name}.weight"]
        return functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    x = functional.prelu(norm(conv(face, "conv1"), "bn1"), state["prelu.weight"])
    for prefix in dict.fromkeys(".".join(name.split(".")[:2]) for name in state if name.startswith("layer")):
        stride = 2 if f"{prefix}.downsample.0.weight" in state else 1
        y = functional.prelu(norm(conv(norm(x, f"{prefix}.bn1"), f"{prefix}.conv1"), f"{prefix}.bn2"),
                             state[f"{prefix}.prelu.weight"])  # fmt: skip
        y = norm(conv(y, f"{prefix}.conv2", stride), f"{prefix}.bn3")
        if stride == 2:
            x = norm(conv(x, f"{prefix}.downsample.0", 2), f"{prefix}.downsample.1")
        x = x + y
    x = torch.flatten(norm(x, "bn2"), 1)
    x = functional.linear(x, state["fc.weight"], state["fc.bias"])
    return norm(x, "features")


def test_codes_are_those_of_the_layers_in_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch, which the published file was written by, is not installed")
    state = iresnet.random_state((2, 1, 2, 1), width=8, features=32, seed=1)
    face = np.random.default_rng(0).random((2, 112, 112, 3), np.float32)
    tensors = {name: torch.tensor(value) for name, value in state.items()}
    expected = _reference(torch, tensors, 2 * torch.tensor(face.transpose(0, 3, 1, 2)) - 1).numpy()
    found = iresnet.code(iresnet.from_torch(state), face)
    assert expected.std() > 0.1
    # float32 through a dozen layers, normalisations folded in float64: 1e-6 of the values a layer
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())


def test_layout_and_size_are_those_of_the_published_r50():
    """Names and shapes as in insightface's iresnet50, 43.6 M numbers with the statistics of the norms."""
    state = iresnet.random_state(iresnet.BLOCKS["r50"])
    assert state["layer3.13.prelu.weight"].shape == (256,)
    assert state["layer4.0.downsample.0.weight"].shape == (512, 256, 1, 1)
    assert state["fc.weight"].shape == (512, 512 * 49)
    learned = sum(v.size for k, v in state.items() if "running" not in k)
    assert learned == pytest.approx(43.59e6, rel=1e-3)


def test_what_is_missing_or_of_another_size_is_named():
    state = iresnet.random_state((1, 1, 1, 1), width=4, features=8)
    with pytest.raises(KeyError, match=r"layer2\.0\.bn2\.running_var"):
        iresnet.from_torch({k: v for k, v in state.items() if k != "layer2.0.bn2.running_var"})
    with pytest.raises(ValueError, match="fc takes 288"):
        iresnet.from_torch(state | {"fc.weight": np.zeros((8, 288), np.float32)})
