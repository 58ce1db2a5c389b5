"""Losses with known answers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vasa_jax import landmarks
from vasa_jax.losses import adversarial, contrastive, geometry, perceptual, reconstruction, transfer


def _images(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random((2, 16, 16, 3)), rng.random((2, 16, 16, 3)), np.ones((2, 16, 16, 1))


@pytest.mark.parametrize(
    "loss", [reconstruction.masked_l1, reconstruction.pyramid_l1, perceptual.feature_loss, transfer.consistency]
)
def test_image_losses_are_zero_on_equal_symmetric_and_positive(loss):
    a, b, weight = map(jnp.asarray, _images())
    np.testing.assert_allclose(loss(a, a, weight), 0.0, atol=1e-7)
    np.testing.assert_allclose(loss(a, b, weight), loss(b, a, weight), rtol=1e-5)
    assert (np.asarray(loss(a, b, weight)) > 0.01).all()


def test_masked_l1_sees_only_the_mask():
    a, b, weight = _images()
    weight[:, 8:] = 0.0
    changed = b.copy()
    changed[:, 8:] = 0.5
    np.testing.assert_allclose(reconstruction.masked_l1(a, b, weight), reconstruction.masked_l1(a, changed, weight))


def test_region_mask_covers_the_mouth_and_not_the_forehead():
    points = landmarks.template()[None]
    mask = reconstruction.region_mask(reconstruction.region_boxes(points), (64, 64))
    row = lambda y: int((y + 1) / 2 * 63)  # noqa: E731
    assert mask[0, row(0.36), 31, 0] > 0.9
    assert mask[0, row(-0.2), row(-0.24), 1] > 0.9
    assert mask[0, row(-0.2), row(0.24), 2] > 0.9
    assert np.asarray(mask[0, row(-0.55)]).max() < 0.05


def test_hinge_is_zero_once_both_sides_are_past_the_margin():
    assert adversarial.discriminator_hinge([jnp.full((2, 4), 1.5)], [jnp.full((2, 4), -1.5)]) == 0.0
    assert adversarial.discriminator_hinge([jnp.zeros(3)], [jnp.zeros(3)]) == 2.0
    assert adversarial.generator_hinge([jnp.full(3, 0.7)]) == pytest.approx(-0.7)


def test_feature_matching_has_no_gradient_into_the_real_side():
    gradient = jax.grad(lambda real: adversarial.feature_matching([real], [jnp.ones(3)]))(jnp.zeros(3))
    np.testing.assert_array_equal(gradient, 0.0)


def test_contrast_margin_acts_on_positives_only():
    """With the margin on both sides it would cancel; here it must raise the loss."""
    rng = np.random.default_rng(0)
    a, b, c = (rng.normal(size=(3, 8)) for _ in range(3))
    plain = contrastive.contrast([(a, b)], [(a, c)], margin=0.0)
    assert (np.asarray(contrastive.contrast([(a, b)], [(a, c)], margin=0.2)) > np.asarray(plain)).all()
    perfect = contrastive.contrast([(a, a)], [(a, -a)])
    assert (np.asarray(perfect) < np.asarray(plain)).all()
    assert np.isfinite(jax.grad(lambda x: contrastive.contrast([(x, x)], [(x, x)]).sum())(jnp.zeros((2, 4)))).all()


def test_cross_identity_pulls_the_output_only():
    source, driven = jnp.asarray([[1.0, 0.0]]), jnp.asarray([[0.0, 1.0]])
    assert transfer.cross_identity(source, driven) == pytest.approx(1.0)
    np.testing.assert_array_equal(jax.grad(lambda s: transfer.cross_identity(s, driven).sum())(source), 0.0)


def test_canonical_consistency_moves_the_source_only_and_is_a_share():
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(2, 3, 4, 4, 5)) for _ in range(2))
    np.testing.assert_allclose(transfer.canonical_consistency(a, a), 0.0, atol=1e-6)
    share = transfer.canonical_consistency(a, b)
    np.testing.assert_allclose(transfer.canonical_consistency(3 * a, 3 * b), share, rtol=1e-5)
    loss = lambda x, y: transfer.canonical_consistency(x, y).sum()  # noqa: E731
    into, target = jax.grad(loss, (0, 1))(jnp.asarray(a), jnp.asarray(b))
    assert np.abs(into).min() > 0 and not np.any(target)


def test_contrast_with_three_positives_is_their_mean():
    """Each positive against all negatives, as the paper's sum of fractions."""
    rng = np.random.default_rng(0)
    a, b, c, d, e = (rng.normal(size=(3, 8)) for _ in range(5))
    negatives = [(a, d), (b, e)]
    together = contrastive.contrast([(a, b), (b, c), (c, a)], negatives)
    alone = [contrastive.contrast([pair], negatives) for pair in ((a, b), (b, c), (c, a))]
    np.testing.assert_allclose(together, np.mean(alone, 0), rtol=1e-5)
    cosine = np.asarray(contrastive.cosine(a, b))
    others = sum(np.exp(5.0 * np.asarray(contrastive.cosine(*pair))) for pair in negatives)
    pulled = np.exp(5.0 * (cosine - 0.2))
    np.testing.assert_allclose(alone[0], -np.log(pulled / (pulled + others)), rtol=1e-4)


def test_r1_of_a_linear_discriminator_is_the_square_of_its_weights():
    weight = np.random.default_rng(0).normal(size=(4, 4, 3))
    discriminator = lambda x: [jnp.einsum("bhwc,hwc->b", x, weight)[:, None, None, None]]  # noqa: E731
    found = adversarial.r1_penalty(discriminator, jnp.zeros((2, 4, 4, 3)))
    np.testing.assert_allclose(found, np.square(weight).sum(), rtol=1e-5)
    flat = adversarial.r1_penalty(lambda x: [jnp.ones((2, 3, 3, 1))], jnp.zeros((2, 4, 4, 3)))
    np.testing.assert_array_equal(flat, 0.0)


def test_r1_of_patches_that_see_places_apart_is_the_mean_of_theirs():
    weight = np.random.default_rng(0).normal(size=(2, 2, 3))
    patches = lambda x: [jnp.einsum("biyjxc,yxc->bij", x.reshape(-1, 3, 2, 3, 2, 3), weight)[..., None]]  # noqa: E731
    found = adversarial.r1_penalty(patches, jnp.zeros((2, 6, 6, 3)))
    np.testing.assert_allclose(found, np.square(weight).sum(), rtol=1e-5)


def test_feature_loss_weighs_maps_and_averages_over_scales():
    a, b = (jnp.asarray(np.random.default_rng(n).random((1, 64, 64, 3))) for n in (0, 1))
    weight = jnp.ones((1, 64, 64, 1))
    network = perceptual.FeatureNetwork("twice", lambda _, x: [x, 2 * x[:, ::2, ::2]], weights=(1.0, 0.5), scales=4)
    half = [x.reshape(1, 32, 2, 32, 2, 3).mean((2, 4)) for x in (a, b)]
    # 64 px and 32 px; below, images are not halved
    levels = [np.abs(x - y).mean() + np.abs((x - y)[:, ::2, ::2]).mean() for x, y in ((a, b), half)]
    np.testing.assert_allclose(perceptual.feature_loss(a, b, weight, network), np.mean(levels), rtol=1e-5)


@pytest.mark.parametrize("size", [(5, 5), (6, 9)])
def test_feature_loss_fits_the_weight_to_maps_of_any_size(size):
    network = perceptual.FeatureNetwork("cut", lambda _, x: [x[:, : size[0], : size[1]]], weights=(1.0,))
    a, b = jnp.zeros((1, 40, 40, 3)), jnp.ones((1, 40, 40, 3))
    np.testing.assert_allclose(perceptual.feature_loss(a, b, jnp.full((1, 40, 40, 1), 0.3), network), 1.0, rtol=1e-5)


def test_point_error_is_a_distance():
    weight = jnp.asarray(geometry.point_weights())
    face = jnp.asarray(landmarks.template())[None]
    assert weight.mean() == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(geometry.point_error(face, face, weight), 0.0, atol=1e-6)
    np.testing.assert_allclose(geometry.point_error(face + 0.1, face, weight), 0.1 * np.sqrt(3), rtol=0.01)


def test_random_features_are_the_same_in_every_process():
    levels = perceptual.random_features(jnp.full((1, 16, 16, 3), 0.75))
    assert [level.shape[1] for level in levels] == [16, 8, 4]
    again = perceptual.random_features(jnp.full((1, 16, 16, 3), 0.75))
    for a, b in zip(levels, again, strict=True):
        np.testing.assert_array_equal(a, b)
