"""ResNet with bottleneck blocks (He et al. 2016; the stride in the 3 x 3, as in torchvision), for inference.

Batch normalisation is folded into the convolutions, since its statistics are fixed: what remains is weights and biases.
"""

from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from vasa_jax.pretrained.layers import Convolution, convolve, folded, max_pool
from vasa_jax.torch_file import State

STAGES = ("layer1", "layer2", "layer3", "layer4")


def from_torch(state: State) -> dict[str, Convolution | list[dict[str, Convolution]]]:
    """Parameters for `features` from a torchvision state dictionary.

    Blocks are counted, so that ResNet-50, -101 and -152 all serve.

    Raises:
      KeyError: a name is missing.
    """

    def block(prefix: str) -> dict[str, Convolution]:
        convolutions = {f"conv{i}": folded(state, f"{prefix}.conv{i}", f"{prefix}.bn{i}") for i in (1, 2, 3)}
        if f"{prefix}.downsample.0.weight" in state:
            convolutions["shortcut"] = folded(state, f"{prefix}.downsample.0", f"{prefix}.downsample.1")
        return convolutions

    params: dict[str, Any] = {"stem": folded(state, "conv1", "bn1")}
    for stage in STAGES:
        count = len({name.split(".")[1] for name in state if name.startswith(f"{stage}.")})
        if not count:
            raise KeyError(f"{stage}.0.conv1.weight")
        params[stage] = [block(f"{stage}.{i}") for i in range(count)]
    return params


def _block(x: Array, block: dict[str, Convolution], stride: int) -> Array:
    shortcut = convolve(x, block["shortcut"], stride) if "shortcut" in block else x
    y = jax.nn.relu(convolve(x, block["conv1"]))
    y = jax.nn.relu(convolve(y, block["conv2"], stride))
    return jax.nn.relu(convolve(y, block["conv3"]) + shortcut)


def maps(params: dict, x: Float[Array, "b h w 3"]) -> list[Array]:
    """What leaves the four stages, a quarter to a 32nd of the image's size."""
    x = max_pool(jax.nn.relu(convolve(x, params["stem"], 2)), 3, 2, padding=1)
    out = []
    for number, stage in enumerate(STAGES):
        for i, block in enumerate(params[stage]):
            x = _block(x, block, 2 if number and not i else 1)
        out.append(x)
    return out


def features(params: dict, x: Float[Array, "b h w 3"]) -> Float[Array, "b d"]:
    """Mean over the image of the last stage, before any head."""
    return maps(params, x)[-1].mean((1, 2))


def random_state(blocks: tuple[int, ...] = (3, 4, 6, 3), width: int = 64, seed: int = 0) -> State:
    """Random weights in the layout of a file without its head, to plan a run or to test without it."""
    rng, state = np.random.default_rng(seed), {}

    def convolution(name: str, norm: str, inputs: int, outputs: int, side: int) -> None:
        kernel = rng.normal(size=(outputs, inputs, side, side)) * np.sqrt(2 / (inputs * side**2))
        state[f"{name}.weight"] = kernel.astype(np.float32)
        ranges = {"weight": (0.5, 1.0), "bias": (-0.2, 0.2), "running_mean": (-0.2, 0.2), "running_var": (0.5, 2.0)}
        for entry, (low, high) in ranges.items():
            state[f"{norm}.{entry}"] = rng.uniform(low, high, outputs).astype(np.float32)

    convolution("conv1", "bn1", 3, width, 7)
    inputs = width
    for stage, count in enumerate(blocks):
        inner = width * 2**stage
        for i in range(count):
            prefix = f"{STAGES[stage]}.{i}"
            for part, (a, b, side) in enumerate(((inputs, inner, 1), (inner, inner, 3), (inner, 4 * inner, 1)), 1):
                convolution(f"{prefix}.conv{part}", f"{prefix}.bn{part}", a, b, side)
            if not i:
                convolution(f"{prefix}.downsample.0", f"{prefix}.downsample.1", inputs, 4 * inner, 1)
            inputs = 4 * inner
    return state
