"""Eyes moved in photographs: what moves, by how much, and what stays."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import quick
from vasa_jax import landmarks
from vasa_jax.ops.warp import identity_grid
from vasa_jax.training import moved_eyes
from vasa_jax.training.augment import View

SIZE = 192
ROLLS = np.float32([0.0, 0.0, 0.0, 0.5])
AMOUNTS = np.float32([0.0, 0.5, 1.0, 1.0])
TURNS = np.float32([[0, 0], [0.2, 0], [-0.2, 0.1], [0.2, 0.0]])
SKIN, WHITE, IRIS = 0.6, 1.0, 0.1
EYES = ("eye_left", "eye_right")


@functools.cache
def view() -> View:
    """Faces of one grey with white eyes and dark irises; the last face is turned in the image."""
    template, places = landmarks.template(), np.asarray(identity_grid((SIZE, SIZE)))
    points, images = [], []
    for roll in ROLLS:
        turn = np.float32([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        turned = np.concatenate([template[:, :2] @ turn.T, template[:, 2:]], -1)
        image = np.full((SIZE, SIZE), SKIN)
        for name, iris in zip(EYES, turned[landmarks.SLICES["irises"], :2], strict=True):
            ring = turned[landmarks.SLICES[name], :2]
            radius = 0.2 * np.linalg.norm(ring[8] - ring[0])
            dark = np.linalg.norm(places - iris, axis=-1) < radius
            image = np.where(_within(places, ring), np.where(dark, IRIS, WHITE), image)
        points.append(turned)
        images.append(image)
    image = jnp.asarray(np.repeat(np.stack(images)[..., None], 3, -1), jnp.float32)
    pose = jnp.asarray(np.stack([[0, 0, roll, 0, 0, 0, 1] for roll in ROLLS]), jnp.float32)
    labels = {name: jnp.full((len(ROLLS), 2), 0.1) for name in ("mouth", "lids", "eyes")}
    return View(image, jnp.zeros((len(ROLLS), 16, 16, 3)), jnp.asarray(np.stack(points), jnp.float32), pose, labels)


def _within(places, ring):
    """Whether places lie within a ring of points, by how often a ray crosses it."""
    x, y = places[..., 0], places[..., 1]
    inside = np.zeros(places.shape[:-1], bool)
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, 0), strict=True):
        crosses = (y0 > y) != (y1 > y)
        inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0 + 1e-12) + x0)
    return inside


@functools.cache
def closed() -> View:
    return quick.jit(moved_eyes.close)(view(), jnp.asarray(AMOUNTS))


@functools.cache
def turned() -> View:
    return quick.jit(moved_eyes.turn)(view(), jnp.asarray(TURNS))


def open_pixels(image) -> np.ndarray:
    return np.asarray((jnp.abs(image[..., 0] - SKIN) > 0.25).sum((1, 2)))


def middles(images) -> np.ndarray:
    """Middle of the dark pixels of either side of the face's own middle line [b, 2 eyes, 2]."""
    places = np.asarray(identity_grid((SIZE, SIZE)))
    found = []
    for image, roll in zip(np.asarray(images[..., 0]), ROLLS, strict=True):
        side = places @ np.float32([np.cos(roll), np.sin(roll)])
        dark = np.clip(SKIN - image - 0.1, 0, None)
        both = [dark * (side < 0), dark * (side > 0)]
        found.append([(mask[..., None] * places).sum((0, 1)) / mask.sum() for mask in both])
    return np.asarray(found)


def width(n: int) -> float:
    ring = np.asarray(view().landmarks[n, landmarks.SLICES["eye_left"], :2])
    return float(np.linalg.norm(ring[8] - ring[0]))


def test_the_eye_vanishes_under_the_lid_by_as_much_as_asked():
    before, after = open_pixels(view().image), open_pixels(closed().image)
    assert after[0] == before[0]
    assert 0.3 < after[1] / before[1] < 0.75
    assert (after[2:] / before[2:] < 0.2).all()  # what is left are the lashes' strip and the corners


@pytest.mark.parametrize("n", (1, 2, 3))
def test_irises_move_as_far_as_an_eyeball_turns_them(n):
    """By the ball's radius times the sine of the angle; a third less is let pass, for the lids hide some of an iris."""
    step = middles(turned().image)[n] - middles(view().image)[n]
    roll, (theta, phi) = ROLLS[n], TURNS[n]
    across = step @ np.float32([np.cos(roll), np.sin(roll)])
    wanted = 0.47 * np.sin(theta) * width(n)
    assert (np.sign(across) == np.sign(theta)).all()
    assert (np.abs(across) > 0.6 * abs(wanted)).all() and (np.abs(across) < 1.1 * abs(wanted)).all()
    if phi > 0:
        assert (step @ np.float32([-np.sin(roll), np.cos(roll)]) < 0).all()  # up


@pytest.mark.parametrize("made", (closed, turned))
def test_nothing_changes_but_between_brow_and_lower_lid(made):
    changed = np.abs(np.asarray(made().image - view().image)).max(-1)
    assert changed[0].max() == 0
    places = np.asarray(identity_grid((SIZE, SIZE)))
    eyes = np.concatenate([np.asarray(view().landmarks[2, landmarks.SLICES[name], :2]) for name in EYES])
    low, high = eyes.min(0), eyes.max(0)
    far = (places[..., 1] > high[1] + 0.05) | (places[..., 0] < low[0] - 0.05) | (places[..., 0] > high[0] + 0.05)
    assert changed[2][far].max() < 1e-5 < changed[2].max()


def test_points_of_lids_follow():
    """Points of the upper lid come to lie between the lids where they were, and on the lower one when it is closed."""
    before, after = (np.asarray(v.landmarks)[:3] for v in (view(), closed()))
    for name in EYES:
        ring = landmarks.SLICES[name]
        lower, upper, moved = before[:, ring][:, :9, :2], before[:, ring][:, 9:, :2], after[:, ring][:, 9:, :2]
        for n, amount in enumerate(AMOUNTS[:3]):
            under = lower[n][np.argsort(lower[n][:, 0])]
            rest = np.interp(upper[n][:, 0], under[:, 0], under[:, 1])
            # The eye's own frame is a little turned: a point moves along it, not straight down the image.
            np.testing.assert_allclose(moved[n][:, 1], upper[n][:, 1] + amount * (rest - upper[n][:, 1]), atol=4e-3)
        np.testing.assert_array_equal(after[:, ring][:, :9], before[:, ring][:, :9])


def test_points_of_irises_follow():
    at = landmarks.SLICES["irises"]
    moved = np.asarray(turned().landmarks - view().landmarks)[:, at, :2]
    seen = middles(turned().image) - middles(view().image)
    np.testing.assert_allclose(moved[1:], seen[1:], atol=0.25 * np.abs(seen[1:]).max())
    rest = np.setdiff1d(np.arange(landmarks.COUNT), np.r_[at, *(landmarks.SLICES[name] for name in EYES)])
    np.testing.assert_array_equal(turned().landmarks[:, rest], view().landmarks[:, rest])


def test_labels_say_so_and_the_encoders_face_stays():
    np.testing.assert_allclose(closed().labels["lids"], np.maximum(0.1, AMOUNTS)[:, None] * np.ones(2), atol=1e-6)
    np.testing.assert_allclose(turned().labels["eyes"], 0.1 + TURNS, atol=1e-6)
    for made in (closed(), turned()):
        np.testing.assert_array_equal(made.face, view().face)
        np.testing.assert_array_equal(made.labels["mouth"], view().labels["mouth"])


@pytest.mark.parametrize("share", (0.0, 0.3, 1.0))
def test_shares_of_images_are_moved(share):
    keys = jax.random.split(jax.random.key(0), 4000)
    closures, turns = (np.asarray(f(keys, share)) for f in (moved_eyes.draw_closures, moved_eyes.draw_turns))
    assert abs((closures > 0).mean() - share) < 0.03
    assert abs((closures == 1).mean() - share / 2) < 0.03
    assert closures[closures > 0].min(initial=1.0) >= 0.2
    assert abs(turns.any(-1).mean() - share) < 0.03
    assert (np.abs(turns).max(0) <= [0.5, 0.3]).all() and abs(turns.mean()) < 0.01
