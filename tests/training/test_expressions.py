"""Expressions moved in photographs: which points go where, and that pixels go along."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import quick
from vasa_jax import landmarks
from vasa_jax.ops.warp import identity_grid
from vasa_jax.training import expressions
from vasa_jax.training.augment import View

SIZE = 96
AMOUNTS = np.float32([[0, 0, 0], *np.eye(3), *-np.eye(3)])
B = len(AMOUNTS)


@functools.cache
def view() -> View:
    """Pictures whose colours are their own coordinates, so that each pixel tells where it was read."""
    points = jnp.asarray(np.broadcast_to(landmarks.template(), (B, landmarks.COUNT, 3)))
    places = jnp.concatenate([identity_grid((SIZE, SIZE)), jnp.zeros((SIZE, SIZE, 1))], -1)
    image = jnp.broadcast_to(0.5 + 0.5 * places, (B, SIZE, SIZE, 3))
    pose = jnp.asarray(np.tile(np.float32([0, 0, 0, 0, 0, 0, 1]), (B, 1)))
    labels = {name: jnp.zeros((B, 2)) for name in ("mouth", "lids", "eyes")}
    return View(image, jnp.zeros((B, 16, 16, 3)), points, pose, labels)


@functools.cache
def moved() -> View:
    return quick.jit(expressions.move)(view(), jnp.asarray(AMOUNTS))


@functools.cache
def steps() -> np.ndarray:
    return np.asarray(moved().landmarks - view().landmarks)


def at(*indices) -> list[int]:
    return [landmarks.MEDIAPIPE_INDICES.index(index) for index in indices]


def test_points_go_where_the_channel_says():
    """Down is +: corners of a smile go out and up, brows up, their inner ends up; each the other way below zero."""
    nothing, smile, brows, inner, frown, lowered, knit = steps()
    assert not nothing.any()
    left, right = at(61, 291)
    assert smile[left, 0] < 0 < smile[right, 0] and frown[right, 0] < 0 < frown[left, 0]
    for up, down, points in ((smile, frown, at(61, 291)), (brows, lowered, at(105, 334)), (inner, knit, at(55, 285))):
        assert (up[points, 1] < -0.015).all() and (down[points, 1] > 0.008).all()
    assert (np.abs(inner[at(70, 300)]) < 1e-3).all()  # the outer ends stay
    np.testing.assert_array_equal(steps()[..., 2], 0)


def test_both_sides_are_mirror_images():
    flipped = steps()[:, landmarks.flip_permutation()] * [-1, 1, 1]
    np.testing.assert_allclose(flipped, steps(), atol=1e-7)


def test_pixels_go_with_their_points():
    """Where a point comes to lie, the image shows about what it showed where the point was."""
    for n in range(1, B):
        moves = np.linalg.norm(steps()[n], axis=-1)
        for k in np.flatnonzero(moves > 0.9 * moves.max()):
            x, y = np.asarray(moved().landmarks)[n, k, :2]
            column, row = np.round((np.asarray([x, y]) + 1) / 2 * (SIZE - 1)).astype(int)
            read = 2 * np.asarray(moved().image)[n, row, column, :2] - 1
            went = np.asarray([2 * column / (SIZE - 1) - 1, 2 * row / (SIZE - 1) - 1]) - read
            assert went @ steps()[n, k, :2] > 0.75 * moves[k] ** 2


def test_what_is_far_stays():
    change = np.abs(np.asarray(moved().image - view().image)).max(-1)
    assert change[0].max() == 0
    places = np.asarray(identity_grid((SIZE, SIZE)))
    assert change[:, np.abs(places).max(-1) > 0.85].max() < 0.003
    eyes = np.linalg.norm(places - landmarks.template()[at(468)[0], :2], axis=-1) < 0.05
    assert change[:, eyes].max() < 0.015  # a brow does not lift the eye


@pytest.mark.parametrize("share", (0.0, 0.4))
def test_shares_are_changed(share):
    got = np.asarray(expressions.draw(jax.random.split(jax.random.key(0), 4000), share, smiles=0.5))
    assert abs(got.any(-1).mean() - share * (1 - 0.4**2 * 0.5)) < 0.03
    assert abs((got[:, 0] != 0).mean() - share * 0.5) < 0.03
    assert np.abs(got).max() <= 1 and abs(got.mean()) < 0.02
