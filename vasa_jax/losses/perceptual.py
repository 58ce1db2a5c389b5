"""Feature loss. Without a pretrained network, features of a fixed random convolution pyramid.

Random filters with rectification compare local structure over several scales (the first layers of an
untrained VGG already do; Ulyanov et al. 2018, He et al. 2016 "A powerful generative model using random weights").
They need no download and no training, so every run has a feature loss.
"""

import functools
from collections.abc import Callable

import jax
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from vasa_jax.losses.reconstruction import masked_l1
from vasa_jax.ops.resize import average_pool

Features = Callable[[Array], list[Array]]


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
        x = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jax.nn.leaky_relu(x, 0.2)
        out.append(x)
    return out


def feature_loss(
    a: Float[Array, "b h w 3"],
    b: Float[Array, "b h w 3"],
    weight: Float[Array, "b h w 1"],
    features: Features = random_features,
) -> Float[Array, " b"]:
    """Weighted L1 between features, averaged over levels; `weight` is pooled to each level's size."""
    levels = list(zip(features(a), features(b), strict=True))
    total = 0.0
    for x, y in levels:
        factor = weight.shape[1] // x.shape[1]
        total += masked_l1(x, y, average_pool(weight, (factor, factor)))
    return total / len(levels)
