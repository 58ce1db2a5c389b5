"""LPIPS, the learned perceptual distance (Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features").

Its numbers are only LPIPS with the published weights, which are the user's files: the network's (torchvision's
`alexnet-owt-*.pth` or `vgg16-*.pth`) and the linear layers' (`v0.1/alex.pth` or `vgg.pth` of the LPIPS project).
Nothing stands in for them.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from vasa_jax import paths, torch_file
from vasa_jax.errors import InputError
from vasa_jax.pretrained import layers

_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_BATCH = 8
# Blocks of (number of the convolution in torchvision's `features`, padding); a pooling (size, stride 2) before each
# block but the first. The output of each block's last ReLU is compared.
_BLOCKS = {
    "alexnet": (3, (((0, 2),), ((3, 2),), ((6, 1),), ((8, 1),), ((10, 1),)), (1, 2)),
    "vgg16": (
        2,
        (
            ((0, 1), (2, 1)), ((5, 1), (7, 1)), ((10, 1), (12, 1), (14, 1)),
            ((17, 1), (19, 1), (21, 1)), ((24, 1), (26, 1), (28, 1)),
        ),
        (1, 2, 3, 4),
    ),
}  # fmt: skip


class Lpips:
    """The distance between images, computed by the published networks.

    Args:
      backbone: torchvision's AlexNet or VGG-16.
      linear: LPIPS's linear layers for the same network.

    Raises:
      InputError: a file is missing, damaged, or of another network.
    """

    def __init__(self, backbone: paths.PathLike, linear: paths.PathLike):
        state = torch_file.read_tensors(paths.check_file(backbone, "torchvision's AlexNet or VGG-16 (.pth)"))
        weights = torch_file.read_tensors(paths.check_file(linear, "LPIPS's linear layers (v0.1/alex.pth or vgg.pth)"))
        first = state.get("features.0.weight", np.zeros(0)).shape
        self.kind = {(64, 3, 11, 11): "alexnet", (64, 3, 3, 3): "vgg16"}.get(first, "")
        if not self.kind:
            raise InputError(f"{backbone}: neither AlexNet nor VGG-16 of torchvision; give one of their files")
        blocks = _BLOCKS[self.kind][1]
        try:
            convolutions = [[layers.plain(state, f"features.{n}") for n, _ in block] for block in blocks]
            mix = [jnp.asarray(weights[f"lin{k}.model.1.weight"], jnp.float32).reshape(-1) for k in range(len(blocks))]
        except KeyError as error:
            raise InputError(f"{backbone}, {linear}: {error.args[0]} is missing; fetch both files again") from error
        widths = [block[-1][1].shape[0] for block in convolutions]
        if [len(w) for w in mix] != widths:
            raise InputError(f"{linear}: not the linear layers of {self.kind}; give those of the same network")
        self._params = convolutions, mix
        self._distance = jax.jit(lambda params, a, b: distance(self.kind, params, a, b))

    def __call__(
        self, made: UInt8[np.ndarray, "t h w 3"], real: UInt8[np.ndarray, "t h w 3"]
    ) -> Float[np.ndarray, " t"]:
        """Distance of each pair of images: 0 the same."""
        out = []
        for at in range(0, len(made), _BATCH):
            pair = [np.asarray(x[at : at + _BATCH], np.float32) / 255 for x in (made, real)]
            count = len(pair[0])
            pair = [np.pad(x, ((0, _BATCH - count), (0, 0), (0, 0), (0, 0))) for x in pair]
            out.append(np.asarray(self._distance(self._params, *pair))[:count])
        return np.concatenate(out)


def distance(kind: str, params: Sequence, a: Float[Array, "t h w 3"], b: Float[Array, "t h w 3"]) -> Float[Array, " t"]:
    """Eq. 1 of the paper: squared differences of unit-length features, weighted by channel, averaged over places."""
    convolutions, mix = params
    total = jnp.zeros(a.shape[0])
    for x, y, weight in zip(_maps(kind, convolutions, a), _maps(kind, convolutions, b), mix, strict=True):
        total += (jnp.square(_unit(x) - _unit(y)) @ weight).mean((1, 2))
    return total


def _maps(kind: str, convolutions: Sequence, image: Float[Array, "t h w 3"]) -> list[Array]:
    pool, blocks, pooled = _BLOCKS[kind]
    x, out = (2 * image - 1 - jnp.asarray([[[_SHIFT]]])) / jnp.asarray([[[_SCALE]]]), []
    for number, (block, parameters) in enumerate(zip(blocks, convolutions, strict=True)):
        if number in pooled:
            x = layers.max_pool(x, pool, 2)
        for (place, padding), (kernel, bias) in zip(block, parameters, strict=True):
            stride = 4 if kind == "alexnet" and place == 0 else 1
            x = jax.lax.conv_general_dilated(
                x, kernel, (stride, stride), ((padding, padding),) * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            x = jax.nn.relu(x + bias[None, None, None])
        out.append(x)
    return out


def _unit(x: Float[Array, "t h w c"]) -> Float[Array, "t h w c"]:
    return x / (jnp.sqrt(jnp.square(x).sum(-1, keepdims=True)) + 1e-10)
