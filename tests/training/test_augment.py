"""Labels follow the pixels through every change of view."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.configs.face import tiny_64
from tests import quick
from vasa_jax import landmarks
from vasa_jax.ops.rotations import transform
from vasa_jax.training.augment import MARGIN, StoredFrames, augmented_view, person_parameters, plain_view

SIZE, STORED = 64, 80


def _stored(n: int = 3, seed: int = 0) -> StoredFrames:
    """Frames with a bright dot at the nose tip, posed at random."""
    rng = np.random.default_rng(seed)
    pose = np.concatenate(
        [rng.uniform(-0.3, 0.3, (n, 3)), rng.uniform(-0.1, 0.1, (n, 3)), rng.uniform(0.8, 1.1, (n, 1))], -1
    )
    points = np.asarray(transform(pose.astype(np.float32), np.tile(landmarks.template(), (n, 1, 1))))
    tip = points[:, landmarks._at(4), :2]
    axis = np.linspace(-MARGIN, MARGIN, STORED)
    distance = (axis[None, None, :] - tip[:, :1, None]) ** 2 + (axis[None, :, None] - tip[:, 1:, None]) ** 2
    frames = np.repeat(np.exp(-distance / 0.005)[..., None], 3, -1).astype(np.float32)
    labels = {name: rng.random((n, 2)).astype(np.float32) for name in ("mouth", "lids", "eyes")}
    return StoredFrames(jnp.asarray(frames), jnp.asarray(points), jnp.asarray(pose, jnp.float32), labels)


def _brightest(image: np.ndarray) -> np.ndarray:
    weight = np.asarray(image).mean(-1) ** 4
    axis = np.linspace(-1, 1, image.shape[0])
    return np.array([(weight.sum(0) * axis).sum(), (weight.sum(1) * axis).sum()]) / weight.sum()


def _settings(**changes):
    config = tiny_64.get_config().augment
    config.update(changes)
    return config


def _view(stored, config, seed=0):
    return _view_by_keys(stored, config, jax.random.split(jax.random.key(seed), stored.pose.shape[0]))


def _view_by_keys(stored, config, keys):
    @quick.jit
    def view(stored, keys):
        person = jax.vmap(lambda key: person_parameters(key, config))(keys)
        return augmented_view(stored, person, keys, SIZE, 48, config), person

    return view(stored, keys)


@pytest.mark.parametrize("seed", range(3))
def test_landmarks_stay_on_their_pixels(seed):
    stored = _stored(seed=seed)
    view, _ = _view(stored, _settings(colour=0.0, grey=0.0), seed)
    for n in range(3):
        # The dot's centre of mass on a 64 px grid: within a pixel.
        np.testing.assert_allclose(_brightest(view.image[n]), view.landmarks[n, landmarks._at(4), :2], atol=2 / SIZE)


def test_pose_is_the_fitted_pose_of_the_moved_landmarks():
    view, _ = _view(_stored(8), _settings(warp=0.0))
    np.testing.assert_allclose(landmarks.fit_pose(np.asarray(view.landmarks)), view.pose, atol=2e-4)


def test_mirrored_labels():
    stored = _stored(16)
    view, person = _view(stored, _settings())
    flipped = np.asarray(person["flip"])
    assert flipped.any() and not flipped.all()
    lids = np.where(flipped[:, None], stored.labels["lids"][:, ::-1], stored.labels["lids"])
    np.testing.assert_allclose(view.labels["lids"], lids)
    eyes = stored.labels["eyes"] * np.where(flipped[:, None], [[-1.0, 1.0]], [[1.0, 1.0]])
    np.testing.assert_allclose(view.labels["eyes"], eyes, atol=1e-6)


def test_a_view_depends_on_its_own_key_only():
    stored = _stored(4)
    whole, _ = _view(stored, _settings())
    later = jax.tree.map(lambda x: x[2:], stored)
    half, _ = _view_by_keys(later, _settings(), jax.random.split(jax.random.key(0), 4)[2:])
    np.testing.assert_allclose(half.image, whole.image[2:], atol=1e-5)


def test_plain_view_is_the_inner_crop():
    stored = _stored()
    view = quick.jit(lambda stored: plain_view(stored, SIZE, 48))(stored)
    np.testing.assert_array_equal(view.landmarks, stored.landmarks)
    np.testing.assert_allclose(view.image[:, 0, 0], stored.frames[:, 8, 8], atol=0.05)
    assert view.face.shape == (3, 48, 48, 3)


def test_contrast_flattens_and_never_sharpens():
    """Paintings and old photographs are flat; what is bright stays brighter than what is dark."""
    stored = _stored(6)
    still = {"warp": 0.0, "colour": 0.0, "grey": 0.0}
    plain, _ = _view(stored, _settings(**still))
    flat, person = _view(stored, _settings(**still, contrast=0.5))
    share = np.asarray(person["contrast"])[:, None, None, None]
    assert (share <= 1).all() and share.min() < 0.9
    # 2e-4: images are clipped to 1e-4, before flattening in one of the two
    np.testing.assert_allclose(flat.image, 0.5 + share * (plain.image - 0.5), atol=2e-4)


def test_grey_images_may_be_tinted():
    view, person = _view(_stored(4), _settings(grey=1.0))
    tinted = np.asarray(view.image ** (1 / np.asarray(person["gamma"])[:, None, None, None]))
    dim = np.where((tinted < 0.9).all(-1) & (tinted > 0.05).all(-1))
    ratio = tinted[dim] / np.asarray(person["tint"])[dim[0]]
    np.testing.assert_allclose(ratio, ratio.mean(-1, keepdims=True) * np.ones(3), rtol=0.02)
