"""The warp against an independent sampler, analytic rotations and its own identities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.ndimage import map_coordinates

from vasa_jax.ops.rotations import euler_to_matrix, inverse_transform, transform
from vasa_jax.ops.warp import grid_sample, identity_grid

SHAPE = (5, 6, 7)


def _volume(rng: np.random.Generator, channels: int = 3) -> np.ndarray:
    return rng.normal(size=(2, *SHAPE, channels)).astype(np.float32)


def _reference(volume: np.ndarray, coords: np.ndarray, mode: str) -> np.ndarray:
    """scipy's linear interpolation, one batch item and channel at a time."""
    places = (coords[..., ::-1] + 1.0) * 0.5 * (np.array(volume.shape[1:-1]) - 1)
    out = np.empty((*coords.shape[:-1], volume.shape[-1]))
    for b in range(volume.shape[0]):
        for c in range(volume.shape[-1]):
            at = np.moveaxis(places[b].astype(np.float64), -1, 0)
            out[b, ..., c] = map_coordinates(volume[b, ..., c].astype(np.float64), at, order=1, mode=mode)
    return out


@pytest.mark.parametrize(("padding", "mode"), [("zeros", "grid-constant"), ("border", "nearest")])
def test_agrees_with_scipy_inside_and_outside(padding, mode):
    rng = np.random.default_rng(0)
    volume = _volume(rng)
    coords = rng.uniform(-1.4, 1.4, size=(2, 4, 5, 6, 3)).astype(np.float32)
    # float32 coordinates times six cells: rounding of about 1e-6 in the fraction.
    np.testing.assert_allclose(grid_sample(volume, coords, padding), _reference(volume, coords, mode), atol=1e-5)


def test_images_agree_with_scipy():
    rng = np.random.default_rng(1)
    image = rng.normal(size=(2, 9, 8, 3)).astype(np.float32)
    coords = rng.uniform(-1.3, 1.3, size=(2, 5, 4, 2)).astype(np.float32)
    np.testing.assert_allclose(grid_sample(image, coords), _reference(image, coords, "grid-constant"), atol=1e-5)


@pytest.mark.parametrize("padding", ["zeros", "border"])
def test_identity_in_is_identity_out(padding):
    volume = _volume(np.random.default_rng(2))
    coords = jnp.broadcast_to(identity_grid(SHAPE), (2, *SHAPE, 3))
    np.testing.assert_allclose(grid_sample(volume, coords, padding), volume, atol=2e-6)


def test_gradients_against_finite_differences():
    rng = np.random.default_rng(3)
    volume = rng.normal(size=(1, 3, 4, 4, 2)).astype(np.float32)
    # Cell centres plus a third: away from the kinks of linear interpolation, where differences mean nothing.
    cells = rng.integers(0, 2, size=(1, 6, 3)) + 0.35
    coords = (cells / (np.array([4, 4, 3]) - 1) * 2 - 1).astype(np.float32)
    check_grads(grid_sample, (jnp.asarray(volume), jnp.asarray(coords)), order=1, modes=["rev"], atol=1e-2, rtol=1e-2)


def test_gradient_of_the_volume_is_the_transposed_sampling():
    rng = np.random.default_rng(4)
    volume, other = _volume(rng), rng.normal(size=(2, 10, 3)).astype(np.float32)
    coords = rng.uniform(-1.1, 1.1, size=(2, 10, 3)).astype(np.float32)
    sample = lambda v: grid_sample(v, coords)  # noqa: E731
    (pulled,) = jax.vjp(sample, jnp.asarray(volume))[1](jnp.asarray(other))
    # <sample(v), o> = <v, sample^T(o)> for a linear map; both sides sum about 400 products of unit size.
    np.testing.assert_allclose(jnp.vdot(sample(volume), other), jnp.vdot(volume, pulled), rtol=1e-4)


def test_rigid_warp_of_a_linear_field_is_the_analytic_rotation():
    """A field whose value is its own coordinate, read at transformed places, returns those places."""
    grid = identity_grid((9, 9, 9))
    pose = jnp.asarray([[0.3, -0.4, 0.2, 0.05, -0.1, 0.02, 0.8]])
    places = transform(pose, grid.reshape(1, -1, 3) * 0.5)
    field = jnp.broadcast_to(grid, (1, 9, 9, 9, 3))
    np.testing.assert_allclose(grid_sample(field, places), places, atol=2e-6)
    angle = 0.3
    turned = transform(jnp.asarray([[angle, 0, 0, 0, 0, 0, 1.0]]), jnp.asarray([[[0.0, 1.0, 0.0]]]))
    np.testing.assert_allclose(turned[0, 0], [0.0, np.cos(angle), np.sin(angle)], atol=1e-6)


def test_inverse_transform_undoes_transform():
    rng = np.random.default_rng(5)
    pose = np.concatenate([rng.uniform(-1, 1, (4, 6)), rng.uniform(0.5, 2, (4, 1))], -1).astype(np.float32)
    points = rng.normal(size=(4, 11, 3)).astype(np.float32)
    np.testing.assert_allclose(inverse_transform(pose, transform(pose, points)), points, atol=1e-5)
    matrix = euler_to_matrix(pose[:, :3])
    np.testing.assert_allclose(matrix @ jnp.swapaxes(matrix, -1, -2), np.tile(np.eye(3), (4, 1, 1)), atol=1e-6)
    np.testing.assert_allclose(jnp.linalg.det(matrix), 1.0, atol=1e-6)


def test_wrong_rank_is_an_error():
    with pytest.raises(ValueError, match="3 axes"):
        grid_sample(jnp.zeros((1, 4, 4, 1)), jnp.zeros((1, 4, 3)))
