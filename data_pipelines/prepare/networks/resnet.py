"""ResNet with bottleneck blocks (He et al. 2016; the stride in the 3 x 3, as in torchvision), for inference.

Batch normalisation is folded into the convolutions, since its statistics are fixed: what remains is weights and biases.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

STAGES = ("layer1", "layer2", "layer3", "layer4")
_EPSILON = 1e-5  # of torch.nn.BatchNorm2d
_DIMENSIONS = ("NHWC", "HWIO", "NHWC")

Convolution = tuple[Array, Array]  # weights [h, w, in, out] and bias [out]


def from_torch(state: dict[str, np.ndarray]) -> dict[str, Convolution | list[dict[str, Convolution]]]:
    """Parameters for `features` from a torchvision state dictionary.

    Blocks are counted, so that ResNet-50, -101 and -152 all serve.

    Raises:
      KeyError: a name is missing.
    """

    def folded(convolution: str, norm: str) -> Convolution:
        weight = state[f"{convolution}.weight"].astype(np.float64)
        gamma, beta, mean, variance = (
            state[f"{norm}.{name}"].astype(np.float64) for name in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gamma / np.sqrt(variance + _EPSILON)
        kernel = (weight * factor[:, None, None, None]).transpose(2, 3, 1, 0)
        return jnp.asarray(kernel, jnp.float32), jnp.asarray(beta - mean * factor, jnp.float32)

    def block(prefix: str) -> dict[str, Convolution]:
        convolutions = {f"conv{i}": folded(f"{prefix}.conv{i}", f"{prefix}.bn{i}") for i in (1, 2, 3)}
        if f"{prefix}.downsample.0.weight" in state:
            convolutions["shortcut"] = folded(f"{prefix}.downsample.0", f"{prefix}.downsample.1")
        return convolutions

    params = {"stem": folded("conv1", "bn1")}
    for stage in STAGES:
        count = len({name.split(".")[1] for name in state if name.startswith(f"{stage}.")})
        if not count:
            raise KeyError(f"{stage}.0.conv1.weight")
        params[stage] = [block(f"{stage}.{i}") for i in range(count)]
    return params


def _convolve(x: Array, convolution: Convolution, stride: int = 1) -> Array:
    kernel, bias = convolution
    pads = [(kernel.shape[0] // 2,) * 2] * 2
    return jax.lax.conv_general_dilated(x, kernel, (stride, stride), pads, dimension_numbers=_DIMENSIONS) + bias


def _block(x: Array, block: dict[str, Convolution], stride: int) -> Array:
    shortcut = _convolve(x, block["shortcut"], stride) if "shortcut" in block else x
    y = jax.nn.relu(_convolve(x, block["conv1"]))
    y = jax.nn.relu(_convolve(y, block["conv2"], stride))
    return jax.nn.relu(_convolve(y, block["conv3"]) + shortcut)


def features(params: dict, x: Float[Array, "b h w 3"]) -> Float[Array, "b d"]:
    """Mean over the picture of the last stage, before any head."""
    x = jax.nn.relu(_convolve(x, params["stem"], 2))
    pads = ((0, 0), (1, 1), (1, 1), (0, 0))
    x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), pads)
    for number, stage in enumerate(STAGES):
        for i, block in enumerate(params[stage]):
            x = _block(x, block, 2 if number and not i else 1)
    return x.mean((1, 2))
