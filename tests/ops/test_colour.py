"""What is written in a portrait's colours has the portrait's cast."""

import jax.numpy as jnp
import numpy as np
import pytest

from vasa_jax.ops.colour import colour_frame, from_frame, into_frame

RNG = np.random.default_rng(0)
SKIN = np.array([[0.18, 0.02, 0.01], [0.12, 0.05, 0.01], [0.10, 0.04, 0.05]])


def pixels(n=400):
    return np.clip([0.7, 0.5, 0.4] + RNG.normal(size=(n, 3)) @ SKIN.T, 0, 1).astype(np.float32)


def frame(image):
    return colour_frame(jnp.asarray(image)[None], jnp.ones((1, len(image))))


def written(colours, of):
    return np.asarray(from_frame(jnp.asarray(colours, jnp.float32)[None], of))[0]


def test_a_frame_has_the_mean_and_covariance_of_its_portrait():
    colours = RNG.normal(size=(200_000, 3))
    out, image = written(colours, frame(pixels())), pixels()
    np.testing.assert_allclose(out.mean(0), image.mean(0), atol=0.02)
    np.testing.assert_allclose(np.cov(out.T), np.cov(image.T), atol=0.004)


def test_reading_undoes_writing():
    image = pixels()
    units = into_frame(jnp.asarray(image)[None], frame(image))
    np.testing.assert_allclose(written(units[0], frame(image)), image, atol=1e-5)


@pytest.mark.parametrize("colours", [RNG.normal(size=(50, 3)), 4 * np.sign(RNG.normal(size=(50, 3)))])
def test_grey_in_grey_out(colours):
    """Whatever is painted: chroma of a grey portrait is none, to a tenth of a level of 255."""
    grey = np.repeat(pixels().mean(1, keepdims=True), 3, 1)
    out = written(colours, frame(grey))
    assert (out.max(1) - out.min(1)).max() < 0.1 / 255
    assert np.ptp(out) > 0.1  # it is painted all the same


def test_sepia_in_sepia_out():
    """Chroma that follows luma in the portrait follows it in the same way in what is painted."""
    grey = pixels().mean(1, keepdims=True)
    tone = lambda level: level * [1.0, 0.85, 0.65] + [0.05, 0.02, 0.0]  # noqa: E731
    out = written(RNG.normal(size=(50, 3)), frame((tone(grey)).astype(np.float32)))
    level = out[:, :1] - 0.05
    np.testing.assert_allclose(out, tone(level), atol=2e-3)


def test_a_portrait_of_one_colour_gives_that_colour():
    flat = np.full((40, 3), [0.3, 0.5, 0.2], np.float32)
    units = into_frame(jnp.asarray(flat)[None], frame(flat))
    assert np.isfinite(units).all()
    np.testing.assert_allclose(written(RNG.normal(size=(9, 3)), frame(flat)), flat[:9], atol=1e-3)


def test_more_light_and_less_saturation_change_the_frame_and_not_what_is_read():
    """Brightness and saturation are lower triangular in luma and chroma: a painter that reads units never sees them."""
    image = pixels()
    luma = image @ [0.299, 0.587, 0.114]
    changed = 0.8 * (luma[:, None] + 0.5 * (image - luma[:, None])) + 0.1
    units = [into_frame(jnp.asarray(x, jnp.float32)[None], frame(x)) for x in (image, changed.astype(np.float32))]
    np.testing.assert_allclose(*units, atol=2e-2)
