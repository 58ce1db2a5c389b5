"""Feature losses: L1 between the maps of a frozen network.

Every network has one interface, `FeatureNetwork`. `pretrained.networks` opens the published ones from the user's files;
`OWN` is the project's and needs no download and no training: a fixed pyramid of random filters with rectification,
which compares local structure over several sizes (the first layers of an untrained VGG already do; Ulyanov et al. 2018,
He et al. 2016 "A powerful generative model using random weights"). The bundled weights were trained with it.
"""

import functools
from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from vasa_jax.losses.reconstruction import masked_l1
from vasa_jax.ops.resize import average_pool

SMALLEST = 32
"""Pictures are not halved below this side: relu5_1 of a VGG would see two cells."""


_static = functools.partial(flax.struct.field, pytree_node=False)


class FeatureNetwork(flax.struct.PyTreeNode, eq=False):
    """A frozen network whose maps tell how alike two images are; a pytree, to be given to a jitted function.

    Attributes:
      name: for logs.
      apply: (params, [b, h, w, 3] in 0..1) -> maps [b, y, x, c], finest first.
      weights: of each map.
      divisor: of the weighted sum (published recipes do not divide).
      scales: how many sizes of the image are compared, each half the one before; their losses are averaged.
      side: of the aligned face that the network wants, in pixels; None: images of any size.
      params: of `apply`, a tree of arrays.
    """

    name: str = _static()
    apply: Callable[[Any, Float[Array, "b h w 3"]], list[Array]] = _static()
    weights: tuple[float, ...] = _static()
    divisor: float = _static(default=1.0)
    scales: int = _static(default=1)
    side: int | None = _static(default=None)
    params: Any = flax.struct.field(default=(), repr=False)

    def maps(self, image: Float[Array, "b h w 3"]) -> list[Array]:
        """Maps of images in 0..1, finest first."""
        return self.apply(self.params, image)


@functools.cache
def _kernels(widths: tuple[int, ...], seed: int) -> tuple[np.ndarray, ...]:
    rng, kernels, inputs = np.random.default_rng(seed), [], 3
    for width in widths:
        flat = rng.normal(size=(9 * inputs, width))
        flat -= flat.mean(0)
        kernels.append((flat / np.linalg.norm(flat, axis=0) * 1.4).reshape(3, 3, inputs, width).astype(np.float32))
        inputs = width
    return tuple(kernels)


def random_features(
    image: Float[Array, "b h w 3"], widths: tuple[int, ...] = (16, 24, 32), seed: int = 7
) -> list[Array]:
    """Rectified responses at full, half and quarter size."""
    x, out = image - 0.5, []
    for level, kernel in enumerate(_kernels(tuple(widths), seed)):
        if level:
            x = average_pool(x, (2, 2))
        x = lax.conv_general_dilated(x, jnp.asarray(kernel), (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jax.nn.leaky_relu(x, 0.2)
        out.append(x)
    return out


OWN = FeatureNetwork("own", lambda _, image: random_features(image), weights=(1.0, 1.0, 1.0), divisor=3.0)


def feature_loss(
    a: Float[Array, "b h w 3"],
    b: Float[Array, "b h w 3"],
    weight: Float[Array, "b h w 1"],
    network: FeatureNetwork = OWN,
) -> Float[Array, " b"]:
    """Weighted L1 between maps, summed over maps and averaged over scales; `weight` is fitted to each map's size."""
    total, done = jnp.zeros(()), 0
    for scale in range(network.scales):
        if scale:
            if min(a.shape[1:3]) < 2 * SMALLEST:
                break
            a, b, weight = (average_pool(x, (2, 2)) for x in (a, b, weight))
        for share, x, y in zip(network.weights, network.maps(a), network.maps(b), strict=True):
            total += share * masked_l1(x, y, _fitted(weight, x.shape[1:3]))
        done += 1
    return total / (network.divisor * done)


def _fitted(weight: Array, size: tuple[int, ...]) -> Array:
    factors = tuple(full // small for full, small in zip(weight.shape[1:3], size, strict=True))
    if all(full == factor * small for full, factor, small in zip(weight.shape[1:3], factors, size, strict=True)):
        return average_pool(weight, factors)
    return jax.image.resize(weight, (weight.shape[0], *size, 1), "linear")
