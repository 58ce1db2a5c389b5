"""IResNet, the backbone that ArcFace was published with (Deng et al. 2019; Duta et al. 2020), for inference.

Files: `backbone.pth` of insightface's recognition/arcface_torch (r18, r34, r50, r100), a state dictionary. A face of
112 px aligned by its points in, RGB in -1..1, a code of 512 numbers out. Blocks are counted, so every depth serves.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vasa_jax.pretrained.layers import affine, convolve, folded
from vasa_jax.torch_file import State

SIDE = 112
STAGES = ("layer1", "layer2", "layer3", "layer4")
BLOCKS = {"r18": (2, 2, 2, 2), "r50": (3, 4, 14, 3), "r100": (3, 13, 30, 3)}
_LAST = SIDE // 16  # side of the last map


def from_torch(state: State) -> dict:
    """Parameters for `code` and `maps`.

    Raises:
      KeyError: a name is missing.
      ValueError: the last layer does not fit faces of 112 px.
    """

    def block(prefix: str) -> dict:
        layers = {
            "before": affine(state, f"{prefix}.bn1"),
            "conv1": folded(state, f"{prefix}.conv1", f"{prefix}.bn2"),
            "slope": jnp.asarray(state[f"{prefix}.prelu.weight"], jnp.float32),
            "conv2": folded(state, f"{prefix}.conv2", f"{prefix}.bn3"),
        }
        if f"{prefix}.downsample.0.weight" in state:
            layers["shortcut"] = folded(state, f"{prefix}.downsample.0", f"{prefix}.downsample.1")
        return layers

    params = {"stem": folded(state, "conv1", "bn1"), "slope": jnp.asarray(state["prelu.weight"], jnp.float32)}
    for stage in STAGES:
        count = len({name.split(".")[1] for name in state if name.startswith(f"{stage}.")})
        if not count:
            raise KeyError(f"{stage}.0.bn1.weight")
        params[stage] = [block(f"{stage}.{i}") for i in range(count)]
    return params | {"after": affine(state, "bn2"), "head": _head(state)}


def _head(state: State) -> tuple[Array, Array]:
    """The linear layer and the normalisation after it as one; its input in the order (y, x, c)."""
    channels = state["bn2.weight"].shape[0]
    weight, bias = state["fc.weight"].astype(np.float64), state["fc.bias"].astype(np.float64)
    if weight.shape[1] != channels * _LAST**2:
        raise ValueError(f"fc takes {weight.shape[1]} numbers")
    weight = weight.reshape(-1, channels, _LAST, _LAST).transpose(2, 3, 1, 0).reshape(-1, len(weight))
    scale, shift = (np.asarray(part, np.float64) for part in affine(state, "features"))
    return jnp.asarray(weight * scale, jnp.float32), jnp.asarray(bias * scale + shift, jnp.float32)


def _prelu(x: Array, slope: Array) -> Array:
    return jnp.where(x > 0, x, slope[None, None, None].astype(x.dtype) * x)


def _scaled(x: Array, layer: tuple[Array, Array]) -> Array:
    scale, shift = (part.astype(x.dtype) for part in layer)
    return x * scale[None, None, None] + shift[None, None, None]


def _block(x: Array, block: dict, stride: int) -> Array:
    shortcut = convolve(x, block["shortcut"], stride) if "shortcut" in block else x
    # Not folded: with zeros around an image, a shift before a convolution is not a shift after it.
    y = _prelu(convolve(_scaled(x, block["before"]), block["conv1"]), block["slope"])
    return convolve(y, block["conv2"], stride) + shortcut


def maps(params: dict, face: Float[Array, "b 112 112 3"]) -> list[Array]:
    """What leaves the four stages, for an aligned face in 0..1: 56, 28, 14 and 7 px."""
    x, out = _prelu(convolve(2.0 * face - 1.0, params["stem"]), params["slope"]), []
    for stage in STAGES:
        for i, block in enumerate(params[stage]):
            x = _block(x, block, 1 if i else 2)
        out.append(x)
    return out


def code(params: dict, face: Float[Array, "b 112 112 3"]) -> Float[Array, "b d"]:
    """The identity code of an aligned face in 0..1; not of unit length."""
    x = _scaled(maps(params, face)[-1], params["after"])
    weight, bias = (part.astype(x.dtype) for part in params["head"])
    return x.reshape(x.shape[0], -1) @ weight + bias[None]


def random_state(blocks: tuple[int, ...] = BLOCKS["r18"], width: int = 64, features: int = 512, seed: int = 0) -> State:
    """Random weights in the layout of a file, to plan a run or to test without it."""
    rng, state = np.random.default_rng(seed), {}

    def norm(name: str, channels: int) -> None:
        ranges = {"weight": (0.5, 1.0), "bias": (-0.2, 0.2), "running_mean": (-0.2, 0.2), "running_var": (0.5, 2.0)}
        for entry, (low, high) in ranges.items():
            state[f"{name}.{entry}"] = rng.uniform(low, high, channels).astype(np.float32)

    def convolution(name: str, inputs: int, outputs: int, side: int) -> None:
        kernel = rng.normal(size=(outputs, inputs, side, side)) * np.sqrt(2 / (inputs * side**2))
        state[f"{name}.weight"] = kernel.astype(np.float32)

    def slope(name: str, channels: int) -> None:
        state[f"{name}.weight"] = rng.uniform(0.1, 0.4, channels).astype(np.float32)

    convolution("conv1", 3, width, 3)
    norm("bn1", width)
    slope("prelu", width)
    inputs = width
    for stage, count in enumerate(blocks):
        outputs = width * 2**stage
        for i in range(count):
            prefix = f"layer{stage + 1}.{i}"
            norm(f"{prefix}.bn1", inputs)
            convolution(f"{prefix}.conv1", inputs, outputs, 3)
            norm(f"{prefix}.bn2", outputs)
            slope(f"{prefix}.prelu", outputs)
            convolution(f"{prefix}.conv2", outputs, outputs, 3)
            norm(f"{prefix}.bn3", outputs)
            if not i:
                convolution(f"{prefix}.downsample.0", inputs, outputs, 1)
                norm(f"{prefix}.downsample.1", outputs)
            inputs = outputs
    norm("bn2", inputs)
    scale = 1 / np.sqrt(inputs * _LAST**2)
    state["fc.weight"] = (rng.normal(size=(features, inputs * _LAST**2)) * scale).astype(np.float32)
    state["fc.bias"] = rng.uniform(-0.2, 0.2, features).astype(np.float32)
    norm("features", features)
    return state
