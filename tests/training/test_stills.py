"""What is hidden of a photograph, and what stays."""

import functools

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from tests import quick
from vasa_jax import landmarks
from vasa_jax.losses.reconstruction import region_boxes, region_mask
from vasa_jax.training import stills
from vasa_jax.training.augment import View

SIZE, B = 64, 6
ALWAYS = ml_collections.FrozenConfigDict({"mouth": 1.0, "eyes": 1.0})


@functools.cache
def views():
    """Two batches of noise with the template's face: every region differs from what surrounds it."""
    rng = np.random.default_rng(0)
    made = []
    for scale in (1.0, 0.9):
        points = jnp.asarray(np.broadcast_to(scale * landmarks.template(), (B, landmarks.COUNT, 3)))
        pose = jnp.asarray(np.tile(np.float32([0, 0, 0, 0, 0, 0, scale]), (B, 1)))
        image = jnp.asarray(rng.random((B, SIZE, SIZE, 3), np.float32))
        labels = {name: jnp.zeros((B, 2)) for name in ("mouth", "lids", "eyes")}
        made.append(View(image, jnp.zeros((B, 16, 16, 3)), points, pose, labels))
    return tuple(made)


def hidden(still=(True,) * B, config=ALWAYS):
    keys = jax.random.split(jax.random.key(3), B)
    return quick.jit(lambda a, b, s: stills.hide(a, b, s, keys, config))(*views(), jnp.asarray(still))


def masks():
    return np.asarray(region_mask(region_boxes(views()[0].landmarks, margin=0.0), (SIZE, SIZE), soft=0.01)) > 0.9


def test_mouth_and_eyes_go_and_the_rest_stays():
    before, after = views()[0].image, hidden().image
    changed = np.abs(after - before).max(-1)
    for part in range(3):
        assert changed[masks()[..., part]].mean() > 0.1
    box = np.asarray(region_mask(region_boxes(views()[0].landmarks, margin=0.25), (SIZE, SIZE), soft=0.01)).max(-1)
    assert changed[box < 0.1].max() == 0


def test_only_stills_are_changed():
    still = np.arange(B) % 2 == 0
    after, before = hidden(still), views()[0]
    same = np.asarray((after.image == before.image).reshape(B, -1).all(1))
    np.testing.assert_array_equal(same, ~still)
    np.testing.assert_array_equal(after.face[~still], before.face[~still])
    assert np.abs(after.face[still]).max() > 0  # cut out anew


def test_shares_say_how_often():
    never = hidden(config=ml_collections.FrozenConfigDict({"mouth": 0.0, "eyes": 1.0})).image
    changed = np.abs(never - views()[0].image).max(-1)
    assert changed[masks()[..., 0]].max() == 0 and changed[masks()[..., 1]].mean() > 0.1


def test_what_is_swapped_in_comes_from_the_other_image():
    """With one flat colour an image, the region takes the other's, scaled to this one's skin: it vanishes."""
    flat = [v.replace(image=jnp.full_like(v.image, level)) for v, level in zip(views(), (0.6, 0.3))]
    keys = jax.random.split(jax.random.key(3), B)
    after = stills.hide(*flat, jnp.ones(B, bool), keys, ALWAYS).image
    np.testing.assert_allclose(after, 0.6, atol=1e-5)


def test_a_pair_of_one_frame_is_a_still():
    points = np.random.default_rng(0).normal(size=(3, 4, 3)).astype(np.float32)
    pose = np.ones((3, 7), np.float32)
    other = points.copy()
    other[1] += 1e-3
    batch = {"source_landmarks": points, "driver_landmarks": other, "source_pose": pose, "driver_pose": pose}
    batch = jax.tree.map(jnp.asarray, batch)
    np.testing.assert_array_equal(stills.is_still(batch), [True, False, True])
