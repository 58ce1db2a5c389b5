"""What must not be rounded says so to the compiler: on the CPU, where tests run, no number would tell."""

import re

import jax
import jax.numpy as jnp
import pytest

from vasa_jax.models.audio import log_mel
from vasa_jax.models.dynamics_encoder import aligned_crop
from vasa_jax.ops import backends, resize, rotations, warp

POSE, POINTS = jnp.ones((2, 7)), jnp.ones((2, 5, 3))
IMAGE, GRID = jnp.ones((2, 8, 8, 3)), jnp.zeros((2, 4, 4, 2))


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (rotations.transform, (POSE, POINTS)),
        (rotations.inverse_transform, (POSE, POINTS)),
        (lambda x: resize.aligned_resize(x, (16, 16)), (GRID,)),
        (lambda x: resize.linear_resize(x, (16, 16)), (GRID,)),
        (lambda image, pose: aligned_crop(image, pose, 8), (IMAGE, POSE)),
        (warp.grid_sample, (IMAGE, GRID)),
        (lambda audio: log_mel.mel_power(audio, 80), (jnp.ones((1, 6400)),)),
    ],
)
def test_products_are_in_full_float32(function, inputs):
    with backends.as_on("gpu"):
        program = str(jax.make_jaxpr(function)(*inputs))
    products = re.findall(r"dot_general\[.*?\]\s", program, re.DOTALL)
    assert products and all("HIGHEST" in product for product in products), products
