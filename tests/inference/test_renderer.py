"""Fixed batches change nothing, and the large image is the small one's blend at more detail."""

import cv2
import jax.numpy as jnp
import numpy as np
import pytest

from tests.inference.stand_ins import CODE, SIZE, StandInFace
from vasa_jax.inference.renderer import FaceRenderer, compose, from_full


def image(size=SIZE):
    y, x = np.mgrid[:size, :size] / size
    return np.stack([127 + 100 * np.sin(5 * x), 127 + 100 * np.cos(4 * y), 200 * x * y], -1).astype(np.uint8)


def motion(count):
    vectors = np.zeros((count, 7 + CODE), np.float32)
    vectors[:, 6], vectors[:, 7] = 1.0, np.linspace(0, 0.5, count)
    return vectors


@pytest.mark.parametrize("count", [1, 4, 9])
def test_every_frame_once_whatever_the_batch(count):
    out = []
    for batch in (1, 4):
        renderer = FaceRenderer(StandInFace(), {}, SIZE, batch=batch)
        out.append(np.stack(list(renderer.frames(renderer.encode(image()), motion(count)))))
    assert out[0].shape == (count, SIZE, SIZE, 3) and out[0].dtype == np.uint8
    np.testing.assert_array_equal(*out)


def test_motion_of_images_comes_in_order():
    renderer = FaceRenderer(StandInFace(), {}, SIZE, batch=4)
    levels = [10, 50, 90, 130, 170]
    found = np.stack(list(renderer.motion(np.full((SIZE, SIZE, 3), level, np.uint8) for level in levels)))
    np.testing.assert_allclose(found[:, 7] * 255, levels, atol=1e-3)


def grid(side, shift=0.0):
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    return np.stack(np.meshgrid(axis + shift, axis), -1)


def blended(portrait, coords, keep, painted, size):
    return compose(
        portrait,
        from_full({"sampling_grid": coords, "blend_mask": keep, "synthesised": painted}, np.zeros(7), 64, size),
    )


def test_composing_with_the_identity_returns_the_portrait():
    large = image(256)
    out = blended(large, grid(64), np.ones((64, 64, 1), np.float32), np.zeros((64, 64, 3), np.float32), 256)
    # A field refined from 64 to 256 px is linear inside; at the border cv2 repeats the last value (half a pixel of 64).
    assert np.abs(out.astype(int) - large)[4:-4, 4:-4].max() <= 1


def test_a_margin_is_what_lies_beyond_the_crop():
    """Moving the crop by a tenth of its width (24 pixels) shows the margin's image, not the repeated edge."""
    wide = image(320)  # the crop of 256 with 32 on each side
    crop = np.ascontiguousarray(wide[32:-32, 32:-32])
    parts = grid(64, 6 * 2 / 63), np.ones((64, 64, 1), np.float32), np.zeros((64, 64, 3), np.float32)
    with_margin, without = blended(wide, *parts, 256), blended(crop, *parts, 256)
    np.testing.assert_allclose(with_margin[4:-4, 4:-4].astype(int), wide[36:-36, 60:-12].astype(int), atol=2)
    np.testing.assert_allclose(with_margin[4:-4, 4:-32].astype(int), without[4:-4, 4:-32].astype(int), atol=2)
    assert np.abs(with_margin[4:-4, -8:].astype(int) - without[4:-4, -8:]).max() > 10  # only one of them is right


def test_composing_agrees_with_moving_the_small_image():
    large = image(256)
    shift = 6 * 2 / 63  # six pixels of the model's image: 24 of the portrait's
    out = blended(large, grid(64, shift), np.ones((64, 64, 1), np.float32), np.zeros((64, 64, 3), np.float32), 256)
    np.testing.assert_allclose(out[8:-8, 8:-40].astype(int), large[8:-8, 32:-16].astype(int), atol=2)
    small = cv2.resize(large, (64, 64), interpolation=cv2.INTER_AREA)
    shrunk = cv2.resize(out, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk[2:-2, 2:-10].astype(int) - small[2:-2, 8:-4]).max() <= 2


def test_what_is_painted_replaces_what_is_not_kept():
    painted = np.full((64, 64, 3), 0.25, np.float32)
    out = blended(image(128), grid(64), np.zeros((64, 64, 1), np.float32), painted, 128)
    assert np.abs(out.astype(int) - 64).max() <= 1


class Green(StandInFace):
    """Keeps half of the portrait and paints the rest green, whoever is shown."""

    def encode(self, image):
        return super().encode(image).replace(image=image)

    def render(self, latents, pose, dynamics):
        shape = (len(pose), SIZE, SIZE)
        coords = jnp.broadcast_to(jnp.asarray(grid(SIZE)), (*shape, 2))
        painted = jnp.broadcast_to(jnp.asarray([0.1, 0.9, 0.2]), (*shape, 3))
        return {"sampling_grid": coords, "blend_mask": jnp.full((*shape, 1), 0.5), "synthesised": painted}


def shown(portrait):
    renderer = FaceRenderer(Green(), {}, SIZE, generator={"kind": "moving"})
    frames = renderer.frames(renderer.encode(portrait), motion(1), portrait)
    return next(frames).astype(int)


def test_what_is_painted_has_the_portraits_colours():
    """A grey portrait stays grey to a level; a sepia one keeps its tone; in a colourful one green is allowed."""
    grey = np.repeat(image().mean(-1, keepdims=True), 3, -1)
    out = shown(grey.astype(np.uint8))
    assert np.ptp(out, -1).max() <= 1 and np.abs(out - grey).max() > 20
    sepia = grey * [1.0, 0.85, 0.65]
    tone = shown(sepia.astype(np.uint8)) / shown(sepia.astype(np.uint8))[..., :1]
    assert np.abs(tone - [1.0, 0.85, 0.65]).max() < 0.03
    colourful = shown(image())
    assert (colourful[..., 1] - colourful[..., 0]).max() > 60
